"""manage.py prune [--dry-run] [--tenant SLUG]"""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone
from tqdm import tqdm

from btec_sync import retention
from btec_sync.models import Tenant
from btec_sync.turns import is_lock_timeout, is_outage

log = structlog.get_logger(__name__)

ROWS = ("idempotency keys", "bodies and answers", "results", "deliveries")
LOGIN_ROWS = ("expired sessions", "login attempts")
BUSY = "Busy"
TROUBLE = "What was removed stays removed; the rest waits until this is mended."
AGAIN = "What was removed stays removed; the same command does the rest."


class Command(BaseCommand):
    help = (
        "Removes what is older than it is kept: bodies and answers after BTEC_BODY_DAYS, deliveries and "
        "their results after BTEC_HISTORY_DAYS, idempotency keys after BTEC_IDEMPOTENCY_HOURS, and "
        f"attempts to log in after {retention.LOGIN_DAYS} days, with the sessions that have expired. Never "
        "what is unfinished. Safe beside running traffic, and can be interrupted. "
        "Exit status: 0 done, 1 a tenant was busy or in trouble, 2 wrong use, or the database is away."
    )

    def add_arguments(self, parser):
        parser.add_argument("--tenant", metavar="SLUG", help="of this tenant only, and no logins")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *, tenant: str | None, dry_run: bool, **options: Any) -> None:
        tenants = chosen(tenant)
        now = timezone.now()
        try:
            expected = count(tenants, now)
            unfinished = sum(retention.kept(one, now) for one in tenants)
            removed, left = (expected, {}) if dry_run else prune(tenants, now, expected)
            if not tenant:
                removed += count_logins(now) if dry_run else prune_logins(now)
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted. {AGAIN}")
            raise SystemExit(130) from None
        except (DatabaseError, InterfaceError) as error:
            if not is_outage(error):
                raise
            raise CommandError(f"The database did not answer. {AGAIN}", returncode=2) from error
        self.stdout.write("To be removed" if dry_run else "Removed")
        for row in ROWS if tenant else ROWS + LOGIN_ROWS:
            self.stdout.write(f"  {row:<20}{removed[row]:>12,}")
        self.stdout.write(f"Kept with their bodies, as they are unfinished: {unfinished:,} old deliveries.")
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")
        for why, slugs in left.items():
            self.stdout.write(f"{why}: {', '.join(slugs)}. {AGAIN if why == BUSY else TROUBLE}")
        if left:
            raise SystemExit(1)


def chosen(slug: str | None) -> list[Tenant]:
    tenants = list(Tenant.objects.filter(slug=slug) if slug else Tenant.objects.all())
    if slug and not tenants:
        raise CommandError(f"--tenant: there is no tenant {slug}.", returncode=2)
    return tenants


def count(tenants: list[Tenant], now: datetime) -> Counter[str]:
    """How many rows of each kind are to go."""
    counts: Counter[str] = Counter()
    for tenant in tenants:
        for kind in retention.KINDS:
            counts[kind.name] += kind.rows(tenant, now).count()
        counts["deliveries"] += retention.old_deliveries_with_body(tenant, now).count()
        for old in (retention.old_deliveries(tenant, now), retention.old_deliveries_with_body(tenant, now)):
            counts["results"] += retention.results_of(old.order_by().values("pk")).count()
    return counts


def count_logins(now: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, rows in retention.old_logins(now):
        counts[name] += rows.count()
    return counts


def prune_logins(now: datetime) -> Counter[str]:
    removed: Counter[str] = Counter()
    for name, rows in retention.prune_logins(now):
        removed[name] += rows
    return removed


def prune(
    tenants: list[Tenant], now: datetime, expected: Counter[str]
) -> tuple[Counter[str], dict[str, list[str]]]:
    """What was removed, and by the reason the tenants of which something was left."""
    removed: Counter[str] = Counter()
    left: dict[str, list[str]] = defaultdict(list)
    with tqdm(total=sum(expected.values()), unit="row", disable=None) as bar:
        for tenant in tenants:
            try:
                for kind in retention.KINDS:
                    for name, rows in retention.prune(tenant, kind, now):
                        removed[name] += rows
                        bar.update(rows)
            except DatabaseError as error:
                left[reason(tenant, error)].append(tenant.slug)
    return removed, left


def reason(tenant: Tenant, error: DatabaseError) -> str:
    """Why a tenant is left while the others go on. Raises the error where the database is away for all."""
    if isinstance(error, OperationalError) and is_lock_timeout(error):
        return BUSY
    if is_outage(error):
        raise error
    log.error("not pruned", tenant=tenant.slug, error=type(error).__name__)
    return f"Refused by the database ({type(error).__name__})"
