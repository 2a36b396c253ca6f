"""POST /v1/sync/registrations."""

from btec_sync.views import SyncViewSet

from .services import RegistrationSync


class RegistrationViewSet(SyncViewSet):
    service = RegistrationSync
