"""SyncSchema: one operation of the OpenAPI document, for a view of records."""

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from btec_sync import idempotency
from btec_sync.models import Tenant
from btec_sync.services import SyncService

from . import answers, problems, records
from .records import JSON

DESCRIPTION = """\
Stores a batch of records. 200 says that the batch was processed; what became of each record stands in
`results`, in the order of the request:

- `NEW`, `UPDATED`: it was stored.
- `UNCHANGED`: it is stored already, or a newer version of it.
- `INVALID`: it was not stored. `errors` says everything that is wrong. With `retryable`, only a parent is
  missing: the record waits, and follows by itself once the parent is there.
- `ERROR`: the database refused it. It is kept, and staff can replay it.

At most {bytes:,} bytes, sent without a Content-Encoding, in UTF-8, no key twice in an object."""


def without_trailing_slash(endpoints: list[tuple]) -> list[tuple]:
    """drf-spectacular's hook: an address is taken with a slash behind it or without, and shown without."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


class SyncSchema(AutoSchema):
    """Describes a SyncViewSet by its service."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> JSON:
        self.registry = registry
        self._shared()
        service = self.view.service
        return {
            "operationId": f"sync_{service.module}",
            "summary": f"Send {service.module}",
            "description": DESCRIPTION.format(bytes=settings.BTEC_MAX_BODY_BYTES),
            "tags": [service.module],
            "parameters": [
                self._component(ResolvedComponent.PARAMETER, "TenantID", tenant_id()),
                self._component(ResolvedComponent.PARAMETER, "IdempotencyKey", idempotency_key()),
            ],
            "requestBody": self._request_body(service),
            # A key, or none where none is required.
            "security": [{"ApiKey": []}] if settings.BTEC_REQUIRE_API_KEY else [{"ApiKey": []}, {}],
            "responses": {"200": self._answer(service), **self._problems()},
        }

    # Parts of it

    def _shared(self) -> None:
        """What the parts refer to."""
        self._component(ResolvedComponent.SECURITY_SCHEMA, "ApiKey", API_KEY)
        self._schema("ZohoId", records.zoho_id())
        self._schema("Summary", answers.summary())
        self._schema("RecordError", answers.record_error())
        self._schema("Problem", problems.problem())

    def _request_body(self, service: type[SyncService]) -> JSON:
        name = service.model.__name__
        record = self._schema(f"{name}Record", records.record(service))
        batch = self._schema(f"{name}Batch", records.batch(record))
        example = {"summary": f"One {service.label().lower()}", "value": {"data": [records.example(service)]}}
        return {
            "required": True,
            "content": {"application/json": {"schema": batch, "examples": {service.module: example}}},
        }

    def _answer(self, service: type[SyncService]) -> JSON:
        name = service.model.__name__
        result = self._schema(f"{name}Result", answers.result(service))
        answer = self._schema(f"{name}Answer", answers.answer(result))
        return {
            "description": "The batch was processed.",
            "headers": {"Idempotent-Replayed": IDEMPOTENT_REPLAYED},
            "content": {"application/json": {"schema": answer, "examples": answers.examples(service)}},
        }

    def _problems(self) -> JSON:
        return {
            str(status): self._component(ResolvedComponent.RESPONSE, f"Problem{status}", response)
            for status, response in problems.responses().items()
        }

    def _schema(self, name: str, schema: JSON) -> JSON:
        return self._component(ResolvedComponent.SCHEMA, name, schema)

    def _component(self, kind: str, name: str, schema: JSON) -> JSON:
        """A reference to a part that operations share."""
        component = ResolvedComponent(name, kind, schema, object=name)
        self.registry.register_on_missing(component)
        return component.ref


API_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A tenant's key, as `manage.py create_api_key` prints it.",
}

IDEMPOTENT_REPLAYED = {
    "description": "The answer of an earlier request with the same Idempotency-Key, again.",
    "schema": {"type": "string", "const": "true"},
}


def tenant_id() -> JSON:
    slug = Tenant._meta.get_field("slug")
    pattern = slug.validators[0].regex.pattern
    return {
        "in": "header",
        "name": "X-Tenant-ID",
        "description": (
            "Confirms the tenant of the key. Without a key, where none is required, it names the tenant."
        ),
        "schema": {
            "type": "string",
            "maxLength": slug.max_length,
            "pattern": pattern.replace(r"\A", "^").replace(r"\Z", "$"),
        },
        "example": "default",
    }


def idempotency_key() -> JSON:
    return {
        "in": "header",
        "name": "Idempotency-Key",
        "description": (
            "Says that a request is the same one as before: with the same body it gets the first answer "
            f"again, for {settings.BTEC_IDEMPOTENCY_HOURS} hours."
        ),
        "schema": {"type": "string", "pattern": records.whole(idempotency.PATTERN.pattern)},
    }
