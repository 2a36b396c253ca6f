"""How registrations are synced."""

from btec_sync.reference.services import ProgramSync, StudentSync
from btec_sync.services import SyncService

from .models import Registration
from .serializers import RegistrationSerializer


class RegistrationSync(SyncService):
    module = "registrations"
    model = Registration
    serializer_class = RegistrationSerializer
    dependencies = {"student": StudentSync, "program": ProgramSync}
