"""SyncViewSet: HTTP's side of a delivery, from the raw bytes to the answer."""

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from . import deliveries, logs, parking
from .answers import Answer
from .body import read_body
from .models import Tenant
from .schema import LazySchema
from .services import SyncService

log = structlog.get_logger(__name__)


class AlwaysJSON(BaseContentNegotiation):
    """There is one representation, so Accept has nothing to choose."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class SyncViewSet(ViewSet):
    """POST of a batch of one module's records."""

    # Subclass declares

    service: type[SyncService]

    # HTTP

    http_method_names = ["post"]
    content_negotiation_class = AlwaysJSON
    schema = LazySchema()

    def create(self, request: Request) -> HttpResponse:
        logs.note(module=self.service.module)
        body = read_body(request)
        delivery = deliveries.receive(request.tenant, self.service.module, body, request.headers)
        logs.note(delivery=str(delivery.uid))
        answer = deliveries.process(delivery, enough_releases=parking.BATCH)
        return AnswerResponse(answer, request.tenant)


class AnswerResponse(HttpResponse):
    """An answer on its way out. Parked records beyond the first thousand are released once it is sent."""

    def __init__(self, answer: Answer, tenant: Tenant) -> None:
        super().__init__(answer.body, status=answer.status, content_type="application/json")
        if answer.replayed:
            self.headers["Idempotent-Replayed"] = "true"
        self.tenant_to_release = tenant if answer.releases_left else None

    def close(self) -> None:
        # The server calls this after the last byte, before Django gives the connection back.
        try:
            if self.tenant_to_release:
                parking.release(self.tenant_to_release)
        except (DatabaseError, InterfaceError) as error:
            log.error("release put off", tenant=self.tenant_to_release.slug, error=type(error).__name__)
        finally:
            super().close()
