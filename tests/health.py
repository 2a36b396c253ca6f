"""The admin's page on the sync's health, as it is read, and two tenants with all that it tells."""

import html
import re
from datetime import timedelta

from django.utils import timezone

from btec_sync import deliveries
from btec_sync.models import Delivery, RecordResult
from tests.admin import fill, text
from tests.api import Sender, receive

PAGE = "/admin/sync-health/"
# A number that leads to a list, alone or with what it counts; a tenant's stands behind the tenant's name.
FIGURE = re.compile(
    r'<a href="(/admin/btec_sync/(delivery|recordresult|recordtomend)/\?[^"]+)">'
    r"(?:&times;|amman |zarqa )?([\d,]+)[ <]"
)
OLD = timedelta(hours=1)


def page(client, **query) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return text(response).replace("\xa0", " ")


def front(client) -> str:
    return text(client.get("/admin/")).replace("\xa0", " ")


def figures_of(response) -> list[tuple[str, str, int]]:
    return figures_in(response.content.decode())


def figures_in(source: str) -> list[tuple[str, str, int]]:
    """Each figure of a page: the address of its list, the kind of the list, and the figure."""
    found = FIGURE.findall(source)
    return [(html.unescape(address), kind, int(count.replace(",", ""))) for address, kind, count in found]


def shown(client, address: str) -> int:
    """How many rows the list at an address says it has."""
    response = client.get(address)
    assert response.status_code == 200, response.headers.get("Location")
    return int(
        re.search(r"([\d,]+) (deliver|record result|records? to mend)", text(response))[1].replace(",", "")
    )


def all_kinds() -> None:
    """Two tenants with everything that can become of a delivery and of a record."""
    for slug in ("amman", "zarqa"):
        tenant = fill(slug, slug, 2)
        sender = Sender(slug)
        for n in range(3):
            sender.post("grades", {"id": f"g{n}", "Score": 101, "Nonsense": 1})
        sender.post("units", {"id": 7}, {"id": "u"})
        failed, left = (receive(tenant, "students", {"id": "x"}) for _ in range(2))
        Delivery.objects.filter(pk=failed.pk).update(state="failed")
        Delivery.objects.filter(pk=left.pk).update(received_at=timezone.now() - OLD)
        receive(tenant, "students", {"id": "under way"})
        again = Delivery.objects.filter(tenant=tenant, module="payments").earliest("pk")
        deliveries.process(again)
        result = RecordResult.objects.filter(tenant=tenant, module="units", state="NEW").latest("pk")
        RecordResult.objects.filter(pk=result.pk).update(state="ERROR")
        Delivery.objects.filter(pk=result.delivery_id).update(new=1, error=1, state="incomplete")
