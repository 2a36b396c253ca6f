"""How payments are synced."""

from btec_sync.services import SyncService
from registrations.services import RegistrationSync

from .models import Payment
from .serializers import PaymentSerializer


class PaymentSync(SyncService):
    module = "payments"
    model = Payment
    serializer_class = PaymentSerializer
    dependencies = {"registration": RegistrationSync}
