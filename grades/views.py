"""POST /v1/sync/grades."""

from btec_sync.views import SyncViewSet

from .services import GradeSync


class GradeViewSet(SyncViewSet):
    service = GradeSync
