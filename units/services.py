"""How units are synced."""

from btec_sync.services import SyncService

from .models import Unit
from .serializers import UnitSerializer


class UnitSync(SyncService):
    module = "units"
    model = Unit
    serializer_class = UnitSerializer
