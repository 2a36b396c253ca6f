"""How students and programs are synced."""

from btec_sync.services import SyncService

from .models import Program, Student
from .serializers import ProgramSerializer, StudentSerializer


class StudentSync(SyncService):
    module = "students"
    model = Student
    serializer_class = StudentSerializer


class ProgramSync(SyncService):
    module = "programs"
    model = Program
    serializer_class = ProgramSerializer
