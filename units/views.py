"""POST /v1/sync/units."""

from btec_sync.views import SyncViewSet

from .services import UnitSync


class UnitViewSet(SyncViewSet):
    service = UnitSync
