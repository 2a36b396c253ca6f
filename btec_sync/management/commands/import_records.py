"""manage.py import_records MODULE FILE [FILE ...] --tenant SLUG [--check]"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from btec_sync.bulk_read import Export, WrongFile, naming, opened
from btec_sync.imports import Imported, import_records
from btec_sync.logs import quiet
from btec_sync.models import State, Tenant
from btec_sync.problems import Unavailable
from btec_sync.reconciliation import Comparison, compare
from btec_sync.services import SyncService, services

MOST_BYTES = 2 * 1024**3
KINDS = {
    "same": "the same here and in the files",
    "missing": "in the files, not here",
    "different": "here with other values",
    "newer here": "here with other values, modified later than the file's",
    "extra": "here, in none of the files",
    "invalid": "in the files, and would be INVALID",
    "erased": "in the files, and erased here at a person's request",
    "repeated": "in the files more than once",
}
FINE = {"same"}


class Command(BaseCommand):
    help = (
        "Imports the CSV of a Zoho Bulk Read job, the ZIP that it comes in, or JSON lines, by the way that "
        "Zoho's requests take. Of an export in several files name them all. Interrupted or not, it can be "
        "run again: what is stored is UNCHANGED. Exit status: 0 all are stored (--check: all are the same), "
        "1 some are not, 2 wrong use, a file that cannot be read, or the database is away."
    )

    def add_arguments(self, parser):
        parser.add_argument("module", choices=list(services()))
        parser.add_argument(
            "files",
            type=Path,
            nargs="+",
            metavar="FILE",
            help=".csv, .jsonl or .ndjson, or a .zip with one of them",
        )
        parser.add_argument("--tenant", metavar="SLUG", required=True)
        parser.add_argument("--check", action="store_true", help="write nothing, and tell what differs")
        parser.add_argument(
            "--show", type=int, default=20, metavar="N", help="with --check: name the first N of each kind"
        )
        parser.add_argument(
            "--empty-missing",
            action="store_true",
            help="take the fields that a CSV has no column for as empty, and empty them here",
        )
        parser.add_argument(
            "--max-bytes", type=int, default=MOST_BYTES, metavar="N", help="of each file's content, unpacked"
        )

    def handle(self, *, module: str, files: list[Path], tenant: str, check: bool, **options: Any) -> None:
        if len({path.resolve() for path in files}) < len(files):
            raise CommandError("A file is named twice.", returncode=2)
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"--tenant: there is no tenant {tenant}.", returncode=2)
        service = services()[module](found)
        work = self.check_against if check else self.import_all
        try:
            with ExitStack() as stack:
                # All of them, before anything is done: a wrong one is told before the first is imported.
                exports = [stack.enter_context(export_in(path, service, **options)) for path in files]
                work(service, exports, **options)
        except WrongFile as error:
            raise CommandError(str(error), returncode=2) from error

    def import_all(
        self, service: SyncService, exports: Sequence[Export], *, verbosity: int, **options: Any
    ) -> None:
        for export in exports:
            with naming(export.path):
                export.refuse_missing()
        imported = Imported()
        again = "run the same command again: what is stored will be UNCHANGED."
        try:
            with quiet() if verbosity < 2 else nullcontext():
                follow(import_each(service, exports, imported), exports)
        except WrongFile:
            self.report(imported)
            self.stdout.write(f"Stopped. The file is wrong from here on; mend it and {again}")
            raise
        except KeyboardInterrupt:
            self.report(imported)
            self.stderr.write(f"Interrupted. To go on, {again}")
            raise SystemExit(130) from None
        except (Unavailable, OperationalError, InterfaceError) as error:
            self.report(imported)
            raise CommandError(f"The database did not answer. To go on, {again}", returncode=2) from error
        self.report(imported)
        if not imported.batches:
            names = ", ".join(str(export.path) for export in exports)
            raise CommandError(f"{names}: no record in it, so nothing was imported.", returncode=2)
        if imported.failed or imported.states["INVALID"] or imported.states["ERROR"]:
            raise SystemExit(1)

    def report(self, imported: Imported) -> None:
        for state in State.values:
            self.stdout.write(f"  {state:<10}{imported.states[state]:>12,}")
        batches = "delivery" if imported.batches == 1 else "deliveries"
        records = "record" if imported.records == 1 else "records"
        self.stdout.write(f"{imported.records:,} {records} in {imported.batches:,} {batches}.")
        if imported.parked:
            self.stdout.write(f"{imported.parked:,} of the INVALID ones wait for a parent that is missing.")
        if imported.refused:
            self.stdout.write("Refused (Records to mend in the admin has all of them):")
        for words in imported.refused:
            self.stdout.write(f"  {words}")
        if imported.under_way:
            self.stdout.write(
                f"Delivery {imported.under_way} is stored and not processed; to finish it: "
                f"manage.py replay {imported.under_way}"
            )
        for uid in imported.failed:
            self.stdout.write(f"Delivery {uid} could not be processed; see it in the admin.")

    def check_against(
        self, service: SyncService, exports: Sequence[Export], *, show: int, **options: Any
    ) -> None:
        comparison = Comparison(most=show)
        try:
            follow(compare(service, exports, comparison), exports)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            raise SystemExit(130) from None
        except (OperationalError, InterfaceError) as error:
            raise CommandError("The database did not answer.", returncode=2) from error
        self.tell(comparison)
        for export in exports:
            if export.missing:
                self.stdout.write(f"Not compared, as {export.path} lacks it: {', '.join(export.missing)}")
        if comparison.counts.keys() - FINE:
            raise SystemExit(1)

    def tell(self, comparison: Comparison) -> None:
        for kind, meaning in KINDS.items():
            self.stdout.write(f"  {kind:<12}{comparison.counts[kind]:>12,}  {meaning}")
        for name, number in comparison.fields.most_common():
            self.stdout.write(f"  {name} differs in {number:,}")
        for kind, shown in comparison.shown.items():
            self.stdout.write(f"{kind}:")
            for words in shown:
                self.stdout.write(f"  {words}")
            if (more := comparison.counts[kind] - len(shown)) > 0:
                self.stdout.write(f"  and {more:,} more")


def export_in(
    path: Path, service: SyncService, *, empty_missing: bool, max_bytes: int, **options: Any
) -> AbstractContextManager[Export]:
    return opened(
        path,
        service.serializer_class,
        ignore_unknown=service.tenant.unknown_fields == Tenant.UnknownFields.IGNORE,
        empty_missing=empty_missing,
        most_bytes=max_bytes,
    )


def import_each(service: SyncService, exports: Sequence[Export], imported: Imported) -> Iterator[int]:
    for export in exports:
        with naming(export.path):
            yield from import_records(service.tenant, service.module, export.records(), imported)


def follow(work: Iterator[int], exports: Sequence[Export]) -> None:
    """Does the work behind a progress bar, that counts the files' bytes, and the records beside them."""
    records = 0
    with tqdm(total=sum(e.size for e in exports), unit="B", unit_scale=True, disable=None) as bar:
        for number in work:
            records += number
            bar.set_postfix_str(f"{records:,} records", refresh=False)
            bar.update(sum(export.read for export in exports) - bar.n)
