"""What a look at the sync's health is about, its figures, and the lists that these lead to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from . import admin_pages as pages
from . import figures
from .figures import FrequentError, Parked, Period, Traffic
from .mending import PARKED
from .models import Delivery, RecordResult, RecordToMend, State, Tenant
from .services import services


@dataclass
class HealthScope:
    """Some tenants and modules over a period. Each figure is asked for once, by whoever is first."""

    tenants: Sequence[Tenant]
    period: Period
    #: The one tenant that was chosen, or ACTIVE where there are others that are not; the one module.
    tenant: str = ""
    module: str = ""

    @cached_property
    def modules(self) -> list[str]:
        return [self.module] if self.module else list(services())

    @cached_property
    def begins(self) -> list[datetime]:
        return self.period.begins()

    @cached_property
    def slugs(self) -> dict[int, str]:
        return {tenant.pk: tenant.slug for tenant in self.tenants}

    # Figures

    @cached_property
    def counted(self) -> figures.Scope:
        return figures.Scope(list(self.slugs), self.modules, self.begins[0])

    @cached_property
    def traffic(self) -> list[Traffic]:
        return figures.traffic(self.counted, self.begins)

    @cached_property
    def last(self) -> dict[tuple[int, str], datetime]:
        return figures.last_deliveries(self.counted)

    @cached_property
    def _from_first(self) -> figures.Scope:
        return replace(
            self.counted, first=min((row.first for row in self.traffic), default=figures.NO_DELIVERY)
        )

    @cached_property
    def _alike(self) -> list[figures.Alike]:
        return figures.invalid(self._from_first)

    @cached_property
    def not_stored(self) -> dict[str, dict[int, int]]:
        """By state, how many records of each tenant were refused, without those that are parked."""
        return {
            State.INVALID: figures.invalid_records(self._alike),
            State.ERROR: figures.errors(self._from_first),
        }

    @cached_property
    def parked(self) -> list[Parked]:
        return figures.parked(self.counted)

    @cached_property
    def errors(self) -> list[FrequentError]:
        return figures.frequent_errors(self._alike)

    # The lists behind them

    def deliveries(self, **filters: Any) -> str:
        return pages.list_url(Delivery, **self._narrowed(filters))

    def results(self, **filters: Any) -> str:
        return pages.list_url(RecordResult, **self._narrowed(filters))

    def to_mend(self, **filters: Any) -> str:
        return pages.list_url(RecordToMend, **self._narrowed(filters))

    def waiting(self, parked: Parked, **filters: Any) -> str:
        """The records that wait."""
        return self.to_mend(
            kind=PARKED,
            tenant=self.slugs[parked.tenant],
            module=parked.module,
            waits_for=parked.waits_for,
            **filters,
        )

    def records(self, state: str, since: datetime, **filters: Any) -> str:
        """The records in a state of deliveries received since then.

        UNCHANGED ones have no result of their own: for them, the deliveries that brought them.
        """
        filters |= {"since": since.isoformat()}
        if state == State.UNCHANGED:
            return self.deliveries(records=state, **filters)
        return self.results(state__exact=state, current=1, **filters)

    def error(self, error: FrequentError) -> str:
        """The records that have this error."""
        return self.results(
            state__exact=State.INVALID,
            current=1,
            parked="no",
            tenant=self.slugs[error.tenant],
            module=error.module,
            error=f"{error.field}:{error.code}",
            since=self.begins[0].isoformat(),
        )

    def _narrowed(self, filters: dict[str, Any]) -> dict[str, Any]:
        own = {"tenant": self.tenant, "module": self.module}
        return {name: value for name, value in (own | filters).items() if value}
