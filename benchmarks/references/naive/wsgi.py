"""For gunicorn; run as a program, it makes the tables and the registrations."""

import os

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.references.naive.settings"
application = get_wsgi_application()


def prepare() -> None:
    from benchmarks import records
    from benchmarks.references.naive.models import Registration

    call_command("migrate", run_syncdb=True, verbosity=0)
    Registration.objects.bulk_create(
        Registration(tenant=records.tenant(t), zoho_id=records.registration(n))
        for t in range(records.TENANTS)
        for n in range(records.REGISTRATIONS)
    )


if __name__ == "__main__":
    django.setup()
    prepare()
