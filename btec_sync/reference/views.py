"""POST /v1/sync/students and /v1/sync/programs."""

from btec_sync.views import SyncViewSet

from .services import ProgramSync, StudentSync


class StudentViewSet(SyncViewSet):
    service = StudentSync


class ProgramViewSet(SyncViewSet):
    service = ProgramSync
