import pytest
from tests.conftest import payload


def test_seed(sender, parents):
    assert sender.states("payments", payload("payment")) == ["NEW"]


def test_thread(committed):
    from tests import factories
    from tests.api import Sender

    factories.TenantFactory()
    assert Sender().states("students", payload("student")) == ["NEW"]


def test_thread2(committed):
    from tests import factories
    from tests.api import Sender

    factories.TenantFactory()
    assert Sender().states("students", payload("student")) == ["NEW"]
