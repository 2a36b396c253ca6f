"""The service as a sender sees it: every test posts through the real address."""

import json
from typing import Any

from django.test import Client

from btec_sync import deliveries
from btec_sync.models import Delivery, Tenant


class Sender:
    """Posts batches as Zoho does and reads the answers."""

    def __init__(self, tenant: str = "default", api_key: str | None = None) -> None:
        self.headers = {"X-Tenant-ID": tenant}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"
        self.client = Client(raise_request_exception=False)

    def post(self, module: str, *records: Any, key: str | None = None, **headers: str):
        """The response to a batch of these records."""
        return self.post_body(module, json.dumps({"data": records}), key=key, **headers)

    def post_body(
        self,
        module: str,
        body: str | bytes,
        *,
        key: str | None = None,
        content_type: str = "application/json",
        **headers: str,
    ):
        """The response to a body, byte for byte."""
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.post(
            f"/v1/sync/{module}", body, content_type=content_type, headers={**self.headers, **headers}
        )

    def results(self, module: str, *records: Any, **options: Any) -> list[dict]:
        """The results of a batch that must be answered 200."""
        response = self.post(module, *records, **options)
        assert response.status_code == 200, response.content
        return response.json()["results"]

    def states(self, module: str, *records: Any, **options: Any) -> list[str]:
        return [result["status"] for result in self.results(module, *records, **options)]


def receive(tenant: Tenant, module: str, *records: Any) -> Delivery:
    """A delivery that was stored and then left alone, as after a crash."""
    body = json.dumps({"data": records}).encode()
    return deliveries.receive(tenant, module, body, {"Content-Type": "application/json"})
