"""Records of several tenants, and people who look at them in the admin."""

import html
import re
from urllib.parse import urljoin

from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from btec_sync import keys
from btec_sync.admin_bases import ReadOnlyAdmin
from btec_sync.models import ApiKey, Delivery, IdempotencyKey, RecordResult, RecordToMend, Tenant, Tombstone
from btec_sync.reference.models import Program, Student
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import Sender
from units.models import Unit

MIRRORS = [Student, Program, Unit, Registration, Payment, Grade]
MACHINERY = [Delivery, RecordResult, RecordToMend, IdempotencyKey, ApiKey, Tombstone]
NOT_OURS = ("/admin/auth/", "/admin/password_change/")
#: Every model that nobody can edit. Tenants are a superuser's to edit.
READ_ONLY = [*MIRRORS, *MACHINERY]
MODELS = [*READ_ONLY, Tenant]
#: Markup that a browser would run.
SCRIPT = "<script>alert(1)</script>"


def registered() -> set[type[Model]]:
    """The models of ours that are in the admin."""
    return {model for model, page in admin.site._registry.items() if isinstance(page, ReadOnlyAdmin)}


def url(model: type[Model], page: str = "changelist", *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def page_of(record: Model) -> str:
    return url(type(record), "change", record.pk)


def superuser() -> Client:
    return logged_in(User.objects.create_superuser("root"))


def staff(*tenants: Tenant, name: str = "registrar", replay: bool = True) -> Client:
    """Somebody who may look at everything of these tenants."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    if replay:
        user.user_permissions.add(Permission.objects.get(codename="replay_delivery"))
    for tenant in tenants:
        tenant.members.add(user)
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


def fill(slug: str, word: str, number: int = 1) -> Tenant:
    """A tenant with records of every module, each of which bears the word, and with all kinds of results."""
    tenant = factories.TenantFactory(slug=slug)
    sender = Sender(slug)
    for n in range(number):
        keys.create(tenant, name=f"{word} key {n}")
        Tombstone.objects.create(tenant=tenant, module="students", zoho_id=f"{word}_gone_{n}", person=word)
        sender.post("students", _student(word, n), key=f"{word}-{n}")
    numbers = range(number)
    sender.post(
        "programs", *({"id": f"{word}_prog_{n}", "Product_Name": word, "Status": word} for n in numbers)
    )
    sender.post("units", *(_unit(word, n) for n in numbers))
    sender.post("registrations", *(_registration(word, n) for n in numbers))
    sender.post("payments", *(_payment(word, n) for n in numbers))
    sender.post("grades", *(_grade(word, n) for n in numbers))
    sender.post("payments", {**_payment(word, 0), "Amount": word}, _payment(word, 0))
    sender.post("payments", {**_payment(word, 0), "Description": f"{word} again"})
    sender.post("payments", {**_payment(word, "parked"), "Registration": {"id": f"{word}_nowhere"}})
    sender.post_body("payments", f"{word} <no JSON>")
    return tenant


def _student(word, n):
    return {"id": f"{word}_stud_{n}", "Name": f"{word} person {n}", "Academic_Email": word, "Status": word}


def _unit(word, n):
    return {"id": f"{word}_unit_{n}", "Unit_Code": word, "Unit_Name": word, "Level": word, "Status": word}


def _registration(word, n):
    parents = {"Student": {"id": f"{word}_stud_{n}"}, "Program": {"id": f"{word}_prog_{n}"}}
    return {"id": f"{word}_reg_{n}", **parents, "Enrollment_Status": word}


def _payment(word, n):
    parents = {"Registration": {"id": f"{word}_reg_{n}"}}
    said = {"Payment_Status": word, "Payment_Method": word, "Description": word}
    return {"id": f"{word}_pay_{n}", **parents, "Amount": 500, **said}


def _grade(word, n):
    parents = {"Student": {"id": f"{word}_stud_{n}"}, "Unit": {"id": f"{word}_unit_{n}"}}
    return {"id": f"{word}_grade_{n}", **parents, "Grade_Value": word, "Comments": word}


def links(response) -> list[str]:
    """The addresses that a page leads to, in the admin."""
    address = response.wsgi_request.path
    found = re.findall(r'href="([^"]+)"', response.content.decode())
    return [
        address + html.unescape(link) if link.startswith("?") else urljoin(address, html.unescape(link))
        for link in found
        if not link.startswith(("http", "#"))
    ]


def text(response) -> str:
    """What a page says, without its tags and its line breaks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def crawl(client: Client) -> dict[str, str]:
    """Every page from the index on, as its address and its source, and each list as each of its links
    would have it; not every link of one in combination with every other."""
    seen: dict[str, str] = {}
    waiting = ["/admin/"]
    while waiting:
        address = waiting.pop()
        if address in seen or not address.startswith("/admin/") or address.startswith(NOT_OURS):
            continue
        response = client.get(address)
        assert response.status_code in (200, 302), f"{address}: {response.status_code}"
        seen[address] = response.getvalue().decode("utf-8", "replace")
        if response.status_code == 302:
            waiting.append(response.url)
        elif response.headers["Content-Type"].startswith("text/html"):
            waiting += [link for link in links(response) if "?" not in address or "?" not in link]
    return seen


def stored(body: bytes, **values) -> Delivery:
    """A delivery that nobody has processed."""
    values = {"tenant": factories.TenantFactory(), "module": "payments", **values}
    return Delivery.objects.create(body=body, **values)


def list_of(client: Client, model: type[Model], **query) -> str:
    response = client.get(url(model), query)
    assert response.status_code == 200, response.headers.get("Location")
    return text(response)


def count(client: Client, model: type[Model], **query) -> int:
    """How many rows a list says it has."""
    names = f"{model._meta.verbose_name}|{model._meta.verbose_name_plural}"
    return int(re.search(rf"(\d+) ({names})\b", list_of(client, model, **query))[1])
