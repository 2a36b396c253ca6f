"""manage.py create_api_key SLUG [--name NAME] [--expires DAYS]"""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from btec_sync import keys
from btec_sync.models import Tenant


class Command(BaseCommand):
    help = "Makes an API key for a tenant and prints it, once, as the only line on standard output."

    def add_arguments(self, parser):
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--name", default="", help="what the key is for, for people")
        parser.add_argument(
            "--expires", type=int, metavar="DAYS", help="days until it expires; never, if not given"
        )

    def handle(self, *, slug: str, name: str, expires: int | None, **options):
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(
                f"There is no tenant {slug}. Make it: manage.py create_tenant {slug}", returncode=2
            )
        if expires is not None and not 1 <= expires <= 36_500:
            raise CommandError("--expires: expected a number of days from 1 to 36500.", returncode=2)
        expires_at = timezone.now() + timedelta(days=expires) if expires else None
        self.stdout.write(keys.create(tenant, name, expires_at))
