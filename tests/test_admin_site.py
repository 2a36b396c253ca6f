"""The admin's front page: what stands where in its list of apps, for whom."""

import re

import pytest
from django.contrib.auth.models import User

from btec_sync.services import services
from tests.admin import logged_in, staff, superuser, text

MACHINERY = ["recordtomend", "delivery", "recordresult"]


def listed(client) -> list[str]:
    """The apps and their models, in the order of the front page."""
    source = client.get("/admin/").content.decode().split('id="content"')[1]
    found = re.findall(r'<a href="/admin/([a-z_]+/(?:[a-z]+/)?)"[^>]*>[^<]', source)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("who", [superuser, lambda: staff()], ids=["superuser", "staff"])
def test_records_to_mend_is_the_first_and_the_modules_follow(db, who):
    found = [address for address in listed(who()) if address != "sync-health/"]

    assert found[:4] == ["btec_sync/", *(f"btec_sync/{name}/" for name in MACHINERY)]
    apps = [address for address in found if address.count("/") == 1]
    modules = list(dict.fromkeys(f"{s.model._meta.app_label}/" for s in services().values()))
    assert apps == ["btec_sync/", *modules, "auth/", "axes/"]
    students = found.index("reference/student/")
    assert found[students - 1 : students + 2] == [
        "reference/",
        "reference/student/",
        "reference/program/",
    ]


def test_the_sidebar_of_every_page_has_the_same_order(db):
    source = superuser().get("/admin/units/unit/").content.decode().split("nav-sidebar")[-1]

    assert source.index("/btec_sync/recordtomend/") < source.index("/reference/student/")
    assert source.index("/grades/grade/") < source.index("/auth/user/") < source.index("/axes/")


def test_apps_have_names_that_say_what_is_in_them(db):
    said = text(superuser().get("/admin/"))

    assert "Students and programs" in said
    assert "Reference" not in said
    assert "BTEC sync" in said


def test_who_may_look_at_one_thing_sees_that_alone(db):
    user = User.objects.create_user("nobody", is_staff=True)

    assert listed(logged_in(user)) == []
