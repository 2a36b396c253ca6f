"""manage.py replay: runs stored deliveries again."""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from btec_sync import parking
from btec_sync.logs import quiet
from btec_sync.models import Arrival, Delivery, State, Tenant
from btec_sync.problems import Unavailable
from btec_sync.replay import in_order, left_as_they_are, replay
from btec_sync.services import services
from config.command_line import lacks_tables

CHUNK = 1_000


class Command(BaseCommand):
    help = (
        "Runs stored deliveries again, parents' modules first, then in the order of arrival. Without "
        "arguments: every delivery that is not done. Newer data is never rolled back; an interruption loses "
        "nothing. "
        "Exit status: 0 all are done, 1 some still are not, or their bodies are not kept any more, "
        "2 wrong use, or the database is away."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "deliveries", nargs="*", metavar="DELIVERY", help="delivery ids; none: all that match"
        )
        parser.add_argument("--tenant", metavar="SLUG")
        parser.add_argument("--module", choices=list(services()))
        parser.add_argument("--state", choices=Delivery.State.values, action="append", help="may be repeated")
        parser.add_argument(
            "--since", metavar="TIME", help="received then or later: 2026-01-15 or 2026-01-15T11:15Z"
        )
        parser.add_argument("--until", metavar="TIME", help="received before then")
        parser.add_argument("--limit", type=int, metavar="N", help="the N oldest at most")
        parser.add_argument("--all", action="store_true", help="those that are done as well")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="the same in one transaction that is rolled back; writers wait",
        )

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        kept = (
            "Nothing was changed." if dry_run else "What was replayed stays; the same command does the rest."
        )
        try:
            numbers = in_order(choose(options))
            before = tally(numbers)
            with (
                quiet() if verbosity < 2 else nullcontext(),
                transaction.atomic() if dry_run else nullcontext(),
            ):
                replayed = tqdm(replay(numbers), total=len(numbers), unit="delivery", disable=None)
                gone = sum(delivery.body_removed_at is not None for delivery in replayed)
                release_what_is_left(numbers, options)
                after = tally(numbers)
                if dry_run:
                    transaction.set_rollback(True)
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted. {kept}")
            raise SystemExit(130) from None
        except (Unavailable, OperationalError, InterfaceError) as error:
            if lacks_tables(error):
                raise
            raise CommandError(f"The database did not answer. {kept}", returncode=2) from error
        if not numbers:
            self.stdout.write("No delivery matches, so there is nothing to do.")
            return
        self.report(before, after)
        left = sum(count for state, count in after.items() if state in UNFINISHED)
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")
        if gone:
            self.stdout.write(left_as_they_are(gone))
        if left:
            all_of = f"{left:,} of {len(numbers):,} deliveries are" if len(numbers) > 1 else "The delivery is"
            self.stdout.write(f"{all_of} not done.")
        if rejected := after[Delivery.State.REJECTED]:
            self.stdout.write(f"Rejected, and refused again as often as they are replayed: {rejected:,}.")
        if left or gone:
            raise SystemExit(1)
        all_of = f"All {len(numbers):,} deliveries are" if len(numbers) > 1 else "The delivery is"
        self.stdout.write(f"{all_of} done.")

    def report(self, before: Counter, after: Counter) -> None:
        for title, rows in (("Records", State.values), ("Deliveries", Delivery.State.values)):
            self.stdout.write(f"{title:<12}{'before':>10}{'after':>10}")
            for row in rows:
                self.stdout.write(f"  {row:<10}{before[row]:>10,}{after[row]:>10,}")


UNFINISHED = set(Delivery.State.values) - {Delivery.State.DONE}


def choose(options: dict[str, Any]) -> QuerySet[Delivery]:
    """The deliveries that the arguments name. Raises CommandError, exit status 2, for wrong ones."""
    queryset = Delivery.objects.order_by("pk")
    if options["deliveries"]:
        queryset = queryset.filter(pk__in=_find(options["deliveries"]))
    elif not options["all"] and not options["state"]:
        queryset = queryset.exclude(state=Delivery.State.DONE)
    if options["state"]:
        queryset = queryset.filter(state__in=options["state"])
    if options["tenant"]:
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"--tenant: there is no tenant {options['tenant']}.", returncode=2)
        queryset = queryset.filter(tenant=tenant)
    if options["module"]:
        queryset = queryset.filter(module=options["module"])
    since, until = (options[name] and _time(f"--{name}", options[name]) for name in ("since", "until"))
    if since and until and since >= until:
        raise CommandError("--since is not before --until, so no delivery can match.", returncode=2)
    if since:
        queryset = queryset.filter(received_at__gte=since)
    if until:
        queryset = queryset.filter(received_at__lt=until)
    if (limit := options["limit"]) is not None:
        if limit < 1:
            raise CommandError("--limit: expected a number of at least 1.", returncode=2)
        queryset = Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)[:limit]))
    return queryset


def _find(texts: Iterable[str]) -> list[int]:
    numbers = []
    for text in texts:
        try:
            numbers.append(Delivery.objects.values_list("pk", flat=True).get(uid=uuid.UUID(text)))
        except ValueError:
            raise CommandError(
                f"{text}: not a delivery id; these look like {uuid.UUID(int=0)}.", returncode=2
            ) from None
        except Delivery.DoesNotExist:
            raise CommandError(f"{text}: there is no such delivery.", returncode=2) from None
    return numbers


def _time(name: str, text: str) -> datetime:
    try:
        day = parse_date(text)
        moment = datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(
            f"{name}: expected a time as 2026-01-15 or 2026-01-15T11:15:13Z, got {text}.", returncode=2
        )
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def tally(numbers: Sequence[int]) -> Counter:
    """How many records and how many deliveries are in each state."""
    counts: Counter = Counter()
    sums = {state: Sum(state.lower()) for state in State.values}
    for start in range(0, len(numbers), CHUNK):
        chunk = Delivery.objects.filter(pk__in=numbers[start : start + CHUNK]).order_by()
        counts.update(chunk.aggregate(**sums))
        counts.update(dict(chunk.values_list("state").annotate(Count("pk"))))
    return counts


def release_what_is_left(numbers: Sequence[int], options: dict[str, Any]) -> None:
    """The parked records that a crash left behind after their parents had come.

    Of the tenants of the named deliveries; where none is named, of all tenants, or of the one that is.
    """
    tenants = Tenant.objects.filter(pk__in=Arrival.objects.order_by().values("tenant"))
    if options["tenant"]:
        tenants = tenants.filter(slug=options["tenant"])
    for tenant in tenants:
        if not options["deliveries"] or Delivery.objects.filter(tenant=tenant, pk__in=numbers).exists():
            parking.release(tenant)
