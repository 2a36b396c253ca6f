"""create_tenant and create_api_key."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from btec_sync.models import ApiKey, Tenant
from tests.api import Sender


def output_of(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_a_tenant_is_created_once(db):
    first = output_of("create_tenant", "north", "--name", "North College")
    second = output_of("create_tenant", "north")

    assert "created" in first
    assert "there already" in second
    assert Tenant.objects.get().name == "North College"


def test_a_name_that_is_not_taken_is_told(db):
    output_of("create_tenant", "north", "--name", "North College")

    assert "It is still named North College" in output_of("create_tenant", "north", "--name", "Other")


@pytest.mark.parametrize("slug", ["North", "a b", "ä", "", "_x", "a" * 65, "a\n"])
def test_a_slug_that_cannot_stand_in_a_header_is_refused(db, slug):
    with pytest.raises(CommandError) as error:
        output_of("create_tenant", slug)

    assert error.value.returncode == 2
    assert str(error.value).startswith("slug: ")
    assert not Tenant.objects.exists()


def test_a_key_is_printed_once_alone_and_works(tenant, settings):
    settings.BTEC_REQUIRE_API_KEY = True

    printed = output_of("create_api_key", "default", "--name", "Deluge", "--expires", "30")

    key = printed.removesuffix("\n")
    assert "\n" not in key
    assert Sender(api_key=key).post("units", {}).status_code == 200
    stored = ApiKey.objects.get()
    assert key not in str(vars(stored))
    assert key.startswith(stored.prefix)
    assert stored.expires_at is not None
    assert stored.last_used_at is not None


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["nobody"], "create_tenant nobody"), (["default", "--expires", "0"], "--expires")],
)
def test_wrong_use_says_what_to_mend(tenant, arguments, names):
    with pytest.raises(CommandError, match=names) as error:
        output_of("create_api_key", *arguments)

    assert error.value.returncode == 2
    assert not ApiKey.objects.exists()
