"""manage.py create_tenant SLUG [--name NAME]"""

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from btec_sync.models import Tenant


class Command(BaseCommand):
    help = "Creates a tenant, or says that it is there."

    def add_arguments(self, parser):
        parser.add_argument(
            "slug", help="what the sender writes in X-Tenant-ID: small letters, digits, _ and -"
        )
        parser.add_argument("--name", default="", help="the college's name, for people")

    def handle(self, *, slug: str, name: str, **options):
        if Tenant.objects.filter(slug=slug).exists():
            self.stdout.write(f"Tenant {slug} is there already.")
            return
        tenant = Tenant(slug=slug, name=name)
        try:
            tenant.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        tenant.save()
        self.stdout.write(f"Tenant {slug} created. Next: manage.py create_api_key {slug}")
