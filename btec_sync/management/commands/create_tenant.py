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
        if there := Tenant.objects.filter(slug=slug).first():
            self.stdout.write(f"Tenant {slug} is there already.")
            if name not in ("", there.name):
                self.stdout.write(f"It is still named {there.name or '(nothing)'}; the admin changes that.")
            return
        tenant = Tenant(slug=slug, name=name)
        try:
            tenant.full_clean()
        except ValidationError as error:
            said = (f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
            raise CommandError(" ".join(said), returncode=2) from error
        tenant.save()
        self.stdout.write(f"Tenant {slug} created. Next: manage.py create_api_key {slug}")
