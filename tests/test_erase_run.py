"""A run of manage.py erase_student: dry, interrupted, tried again, twice, wrongly used, and not agreed to."""

from contextlib import nullcontext
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from btec_sync.erasure import Erasure
from btec_sync.models import Delivery, RecordResult, Tombstone
from btec_sync.reference.models import Student
from tests.erasing import (
    counts,
    erase,
    hers_everywhere,
    payment,
    registration,
    send_hers,
)
from tests.triggers import at_commit, at_once, numbered


@pytest.fixture
def hers(sender, parents):
    send_hers(sender)


def test_a_dry_run_counts_the_same_and_changes_nothing(hers):
    before = list(Delivery.objects.values()), RecordResult.objects.count(), Student.objects.count()

    told = erase("--dry-run")

    assert (list(Delivery.objects.values()), RecordResult.objects.count(), Student.objects.count()) == before
    assert not Tombstone.objects.exists()
    done = counts(erase())
    assert counts(told) == done


def test_an_interrupted_run_is_finished_by_the_next(hers, tenant, sender):
    sender.post("payments", payment(id="pay_parked_z", Registration={"id": "reg_parked_z"}))
    sender.post("registrations", registration(id="reg_parked_z", Program={"id": "nowhere"}))

    class Killed(Exception):
        pass

    def die(read: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        Erasure(tenant, "stud_z").run(die)
    assert not Student.objects.filter(zoho_id="stud_z").exists()
    assert hers_everywhere()

    erase()

    assert hers_everywhere() == []


@pytest.mark.postgresql
@pytest.mark.parametrize("when", [at_once, at_commit])
@pytest.mark.parametrize(
    ("table", "event", "rows"),
    [
        ("payments_payment", "DELETE", "TRUE"),
        ("btec_sync_delivery", "UPDATE", "TRUE"),
        ("btec_sync_recordresult", "DELETE", "OLD.module = 'grades'"),  # found without a body
    ],
)
def test_what_is_tried_again_is_counted_once(committed, hers, table, event, rows, when):
    Delivery.objects.filter(module="grades").update(body=b"", answer=b"", body_removed_at=timezone.now())
    told = counts(erase("--dry-run"))
    again = "IF nextval('tries') < 2 THEN RAISE EXCEPTION 'once more' USING ERRCODE = '40001'; END IF"

    with numbered(), when(table, event, action=f"IF {rows} THEN {again}; END IF"):
        output = erase()

    assert counts(output) == told
    assert hers_everywhere() == []


def test_run_twice_it_finds_nothing_more(hers):
    erase()

    assert counts(erase()) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody", "stud_z"], "no tenant nobody"),
        (["default", "stud z"], "not a Zoho id"),
        (["default", "never_sent"], "--unknown"),
        (["default", "never_sent", "--lift"], "No student never_sent was erased"),
    ],
)
def test_wrong_use_says_what_to_mend(sender, tenant, arguments, says):
    with pytest.raises(CommandError, match=says) as error:
        call_command("erase_student", *arguments, "--yes")

    assert error.value.returncode == 2
    assert not Tombstone.objects.exists()


@pytest.mark.parametrize(("typed", "erased"), [("stud_z", True), ("yes", False), (EOFError, False)])
def test_it_asks_before_it_erases(hers, monkeypatch, typed, erased):
    def answer(question: str) -> str:
        if typed is EOFError:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answer)

    with nullcontext() if erased else pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_student", "default", "stud_z", stdout=StringIO())

    assert Student.objects.filter(zoho_id="stud_z").exists() is not erased
