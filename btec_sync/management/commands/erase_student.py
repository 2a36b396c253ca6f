"""manage.py erase_student TENANT ZOHO_ID [--dry-run] [--yes] [--lift]"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from btec_sync import tombstones
from btec_sync.erasure import PERSONS, Erasure, strangers
from btec_sync.fields import Id
from btec_sync.models import RecordResult, Tenant, Tombstone
from btec_sync.services import services
from btec_sync.turns import is_lock_timeout

AGAIN = "What was erased stays erased; the same command does the rest."
NOT_REACHED = (
    "Not reached from here: Zoho itself, backups, files that were exported, and what other records say in "
    'their texts. See docs/operations.md, "A person\'s right to erasure".'
)


class Command(BaseCommand):
    help = (
        "Erases a student, what points at them, and every trace of these in results, stored bodies and "
        "answers. What is sent or replayed of them later is refused (INVALID, erased). Can be run again. "
        "Exit status: 0 done, 2 wrong use, or the database is away or busy."
    )

    def add_arguments(self, parser):
        parser.add_argument("tenant", help="the tenant's slug")
        parser.add_argument("zoho_id", help="the student's Zoho id")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--unknown", action="store_true", help="though no record and no result speaks of the student"
        )
        parser.add_argument(
            "--lift", action="store_true", help="let the student in again; what was erased does not come back"
        )

    def handle(self, *, tenant: str, zoho_id: str, **options: Any) -> None:
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.", returncode=2)
        if not Id.PATTERN.fullmatch(zoho_id):
            raise CommandError(f"{zoho_id}: not a Zoho id.", returncode=2)
        try:
            if options["lift"]:
                self.lift(found, zoho_id, **options)
            else:
                self.erase(found, zoho_id, **options)
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted. {AGAIN}")
            raise SystemExit(130) from None
        except (OperationalError, InterfaceError) as error:
            busy = isinstance(error, OperationalError) and is_lock_timeout(error)
            why = f"Tenant {tenant} is busy." if busy else "The database did not answer."
            raise CommandError(f"{why} {AGAIN}", returncode=2) from error

    def lift(self, tenant: Tenant, zoho_id: str, *, dry_run: bool, **options: Any) -> None:
        rows = Tombstone.objects.filter(tenant=tenant, person=zoho_id)
        number = rows.count() if dry_run else tombstones.lift(tenant, zoho_id)
        if not number:
            raise CommandError(f"No student {zoho_id} was erased from {tenant}.", returncode=2)
        self.stdout.write(f"{'To be lifted' if dry_run else 'Lifted'}: {number:,} tombstones.")
        self.stdout.write("What was erased does not come back: have Zoho send the records anew.")

    def erase(
        self, tenant: Tenant, zoho_id: str, *, dry_run: bool, yes: bool, unknown: bool, **options: Any
    ) -> None:
        if not unknown and not is_known(tenant, zoho_id):
            raise CommandError(
                f"No record and no result of {tenant} speaks of a student {zoho_id}. To look through the "
                "bodies and refuse that id from now on nevertheless, add --unknown.",
                returncode=2,
            )
        if not dry_run and not yes:
            self.confirm(tenant, zoho_id)
        erasure = Erasure(tenant, zoho_id, dry_run=dry_run)
        with tqdm(total=erasure.to_read(), unit="delivery", disable=None) as bar:
            erasure.run(bar.update)
        self.report(erasure)

    def confirm(self, tenant: Tenant, zoho_id: str) -> None:
        self.stdout.write(f"Student {zoho_id} of {tenant} will be erased with all that points at them.")
        self.stdout.write("This cannot be undone. A dry run (--dry-run) counts it first.")
        try:
            typed = input("Type the Zoho id to go on: ")
        except EOFError:
            typed = ""
        if typed.strip() != zoho_id:
            raise CommandError("Nothing was erased. Without a terminal, add --yes.", returncode=2)

    def report(self, erasure: Erasure) -> None:
        self.stdout.write("To be erased" if erasure.dry_run else "Erased")
        rows = [module for module in services() if module == PERSONS or erasure.report[module]]
        for row in [*rows, "results", "bodies redacted", "records in bodies", "bodies removed"]:
            self.stdout.write(f"  {row:<20}{erasure.report[row]:>12,}")
        if erasure.dry_run:
            self.stdout.write("Dry run: nothing was changed.")
            return
        number = Tombstone.objects.filter(tenant=erasure.tenant, person=erasure.person).count()
        self.stdout.write(f"{number:,} tombstones keep these records out. --lift takes them away.")
        self.stdout.write(NOT_REACHED)


def is_known(tenant: Tenant, zoho_id: str) -> bool:
    results = RecordResult.objects.filter(tenant=tenant)
    return (
        services()[PERSONS].model.objects.filter(tenant=tenant, zoho_id=zoho_id).exists()
        or Tombstone.objects.filter(tenant=tenant, person=zoho_id).exists()
        or results.filter(module__in={PERSONS, *strangers(tenant, zoho_id)}, zoho_id=zoho_id).exists()
        or results.filter(waits_for_module=PERSONS, waits_for_id=zoho_id, current=True).exists()
    )
