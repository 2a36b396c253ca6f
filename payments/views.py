"""POST /v1/sync/payments."""

from btec_sync.views import SyncViewSet

from .services import PaymentSync


class PaymentViewSet(SyncViewSet):
    service = PaymentSync
