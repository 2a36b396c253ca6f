"""How grades are synced."""

from btec_sync.reference.services import StudentSync
from btec_sync.services import SyncService
from units.services import UnitSync

from .models import Grade
from .serializers import GradeSerializer


class GradeSync(SyncService):
    module = "grades"
    model = Grade
    serializer_class = GradeSerializer
    dependencies = {"student": StudentSync, "unit": UnitSync}
