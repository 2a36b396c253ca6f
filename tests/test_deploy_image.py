"""The tree of the image as the Dockerfile makes it: it serves read-only, and its health check tells."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import deployment, live
from tests.deployment import HOST

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def database():
    with live.database() as url:
        yield url


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Where only its owner may write."""
    folder = tmp_path_factory.mktemp("image") / "srv"
    folder.mkdir()
    deployment.build(folder)
    return folder


def test_the_image_serves_where_nothing_in_it_can_be_written(database, image, tmp_path):
    # Root without its capabilities is held to the modes of files, as everybody is.
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    before = snapshot(image)

    with read_only(image):
        attempt = subprocess.run([*bare, "touch", "config/new"], cwd=image, capture_output=True, check=False)
        with deployment.gunicorn(database, tmp_path / "log", root=image, before=bare) as service:
            assert deployment.alive(service.port)

    assert attempt.returncode != 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert snapshot(image) == before


def snapshot(folder: Path) -> set[tuple[Path, int]]:
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


def test_the_health_check_says_whether_the_service_answers(database, image, tmp_path):
    check = [sys.executable, "deploy/healthcheck.py"]
    with deployment.gunicorn(database, tmp_path / "log", root=image) as service:
        environment = {
            "DJANGO_ALLOWED_HOSTS": f" {HOST}, other.example",
            "BTEC_BIND": f"0.0.0.0:{service.port}",
        }
        well = subprocess.run(check, cwd=image, env=environment, capture_output=True, text=True, check=False)
        wrong = {**environment, "DJANGO_ALLOWED_HOSTS": "unknown.example"}
        ill = subprocess.run(check, cwd=image, env=wrong, capture_output=True, text=True, check=False)
    gone = subprocess.run(check, cwd=image, env=environment, capture_output=True, text=True, check=False)

    assert (well.returncode, well.stderr) == (0, "")
    assert (ill.returncode, ill.stderr) == (1, "/healthz answers 400\n")
    assert gone.returncode == 1
    assert "cannot be reached" in gone.stderr
