"""What must be true of the code and the tables as a whole."""

import ast
import uuid
from pathlib import Path

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import IntegrityError, connection, models, transaction

from btec_sync.constraints import SameTenant
from btec_sync.models import Delivery, Tenant
from tests import factories
from tests.api import Sender
from tests.stress.ways import MUTANTS

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
MODULES = ("registrations", "payments", "units", "grades")
#: What each may import of the project, itself aside.
ALLOWED = {
    "btec_sync": set(),
    "btec_sync.reference": {"btec_sync"},
    "units": {"btec_sync"},
    "registrations": {"btec_sync", "btec_sync.reference"},
    "payments": {"btec_sync", "registrations"},
    "grades": {"btec_sync", "btec_sync.reference", "units"},
}


def package_of(name: str) -> str:
    return "btec_sync.reference" if name.startswith("btec_sync.reference") else name.split(".")[0]


def imports(file: Path) -> set[str]:
    """The project's packages that a file imports absolutely."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {package_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(package_of(node.module))
    return found & set(ALLOWED)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    folder = ROOT / package.replace(".", "/")
    files = [f for f in folder.rglob("*.py") if package != "btec_sync" or "reference" not in f.parts]

    found = set().union(*(imports(file) for file in files)) - {package}

    assert found <= ALLOWED[package]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_small(module):
    lines = sum(len(file.read_text().splitlines()) for file in (ROOT / module).glob("*.py"))

    assert 60 <= lines <= 150


def test_the_system_checks_find_nothing(settings):
    settings.BTEC_REQUIRE_API_KEY = True

    assert run_checks() == []


def tenant_models() -> list[type[models.Model]]:
    found = [m for m in apps.get_models() if not m._meta.proxy]
    return [m for m in found if any(f.name == "tenant" for f in m._meta.concrete_fields)]


@pytest.mark.parametrize("model", tenant_models(), ids=lambda m: m.__name__)
def test_every_reference_between_tenants_records_includes_the_tenant(model):
    references = [
        field.name
        for field in model._meta.concrete_fields
        if field.related_model in tenant_models() and field.name != "tenant"
    ]

    guarded = [c.field for c in model._meta.constraints if isinstance(c, SameTenant)]

    assert sorted(guarded) == sorted(references)


@pytest.mark.parametrize("model", tenant_models(), ids=lambda m: m.__name__)
def test_what_senders_name_is_unique_within_its_tenant(model):
    names = {"zoho_id", "key"} & {field.name for field in model._meta.concrete_fields}
    uniques = [set(c.fields) for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)]

    if names and model.__name__ != "RecordResult":
        assert any(names | {"tenant"} <= fields for fields in uniques)
    assert not any(field.unique and field.name in names for field in model._meta.concrete_fields), (
        "unique across tenants"
    )


REFERENCES = [
    ("registrations_registration", "student_id", "reference_student"),
    ("registrations_registration", "program_id", "reference_program"),
    ("payments_payment", "registration_id", "registrations_registration"),
    ("grades_grade", "student_id", "reference_student"),
    ("grades_grade", "unit_id", "units_unit"),
    ("btec_sync_recordresult", "delivery_id", "btec_sync_delivery"),
    ("btec_sync_idempotencykey", "delivery_id", "btec_sync_delivery"),
    ("btec_sync_delivery", "duplicate_of_id", "btec_sync_delivery"),
    ("btec_sync_delivery", "repeats_id", "btec_sync_delivery"),
]


def test_every_reference_between_tenants_records_is_tried_here():
    references = {
        (model._meta.db_table, field.column, field.related_model._meta.db_table)
        for model in tenant_models()
        for field in model._meta.concrete_fields
        if field.related_model in tenant_models() and field.name != "tenant"
    }

    assert references == set(REFERENCES)


#: What must not be copied with a row, as SQL.
FRESH = {"zoho_id": "'another'", "uid": f"'{uuid.uuid4()}'", "key": "'another'", "attempt": "99"}


def columns_of(cursor, table: str) -> list[str]:
    return [column.name for column in connection.introspection.get_table_description(cursor, table)]


@pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
def test_the_database_itself_refuses_a_reference_into_another_tenant(parents, sender, table, column, parent):
    sender.post("payments", factories.PaymentRecord())
    sender.post("grades", factories.GradeRecord(), key="k")
    other = Sender(factories.TenantFactory(slug="other").slug)
    other.post("students", factories.StudentRecord(id="stud_456"))
    other.post("programs", factories.ProgramRecord(id="prog_789"))
    other.post("units", factories.UnitRecord(id="unit_789"))
    other.post("registrations", factories.RegistrationRecord(id="reg_456"))
    foreign = Tenant.objects.get(slug="other").pk
    own = Tenant.objects.get(slug="default").pk

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) FROM {parent} WHERE tenant_id = %s", [foreign])
        target = cursor.fetchone()[0]
        # One row, and another like it but for what has to be unique: nothing else may be what is refused.
        cursor.execute(f"SELECT max(id) FROM {table} WHERE tenant_id = %s", [own])
        row = cursor.fetchone()[0]
        names = [name for name in columns_of(cursor, table) if name != "id"]
        copied = ", ".join(FRESH.get(name, f'"{name}"') for name in names)
        insert = f"INSERT INTO {table} ({', '.join(names)}) SELECT {copied} FROM {table} WHERE id = %s"
        fresh = "attempt = 99, " if "attempt" in names else ""
        foreign_insert = insert.replace(f'"{column}"', "%s")
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"), transaction.atomic():
            cursor.execute(foreign_insert, [target, row])
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"), transaction.atomic():
            cursor.execute(f"UPDATE {table} SET {fresh}{column} = %s WHERE id = %s", [target, row])
        cursor.execute(insert, [row])


def test_a_delivery_cannot_be_deleted_under_its_results(sender, parents):
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.filter(tenant__slug="default")._raw_delete("default")


def test_every_index_is_shown_with_its_plan():
    """In docs/performance.md. The mirrored modules have constraints' alone, shown of two of them."""
    options = [model._meta for model in apps.get_app_config("btec_sync").get_models()]
    unique = [one for of in options for one in of.constraints if isinstance(one, models.UniqueConstraint)]
    names = {one.name for one in [*unique, *(index for of in options for index in of.indexes)]}

    told = (ROOT / "docs/performance.md").read_text()

    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in told} == set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_way_to_break_the_code_fits_it(mutant):
    """`make mutants` breaks it; that each way is still there is seen in every run."""
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert (ROOT / mutant.tests.split("::")[0].split()[0]).exists()
