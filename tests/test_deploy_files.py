"""What the files of production say is true of each other, of the documentation and of the code."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from tests import deployment
from tests.deployment import HOST, ROOT
from tests.test_docs import column

pytestmark = pytest.mark.once

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
EXAMPLE = ROOT / "deploy/production.env.example"
GUNICORN = ROOT / "deploy/gunicorn.conf.py"
UNITS = sorted(unit for unit in (ROOT / "deploy/systemd").iterdir() if unit.is_file())
MiB = 1024 * 1024


def named_variables() -> dict[str, set[str]]:
    """The environment variables that each file sets or reads."""
    compose = (ROOT / "compose.yaml").read_text()
    services = [yaml.safe_load(compose)["x-service"], *COMPOSE["services"].values()]
    settings_of = {name for service in services for name in service.get("environment", {})}
    environment = [text for name, text in deployment.final_stage() if name == "ENV"]
    examples = re.sub(r"^# ([A-Z_]+=)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    return {
        "Dockerfile": set(re.findall(r"(\w+)=", " ".join(environment))),
        "compose.yaml": settings_of | set(re.findall(r"\$\{(\w+)", compose)),
        "deploy/production.env.example": set(deployment.variables(examples)),
        "deploy/nginx.env": set(deployment.variables((ROOT / "deploy/nginx.env").read_text())),
        "deploy/nginx.conf.template": set(re.findall(r"\$\{([A-Z_]+)\}", deployment.TEMPLATE.read_text())),
        "deploy/systemd": set(re.findall(r"(\w+)=", " ".join(environment_lines()))),
    }


def environment_lines() -> list[str]:
    units = (ROOT / "deploy/systemd").rglob("*.*")
    texts = [unit.read_text() for unit in units if unit.is_file()]
    return [line for text in texts for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("file", named_variables())
def test_every_variable_that_a_file_names_is_documented(file):
    documented = {name for (name,) in column(ROOT / "README.md", "variable")}
    documented |= {name for (name,) in column(ROOT / "docs/deploy.md", "variable")}
    # These are Python's.
    documented |= {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}

    assert named_variables()[file]
    assert named_variables()[file] <= documented


def test_the_template_asks_for_what_nginx_env_and_compose_set():
    given = deployment.variables((ROOT / "deploy/nginx.env").read_text())
    given |= COMPOSE["services"]["nginx"]["environment"]

    assert named_variables()["deploy/nginx.conf.template"] == set(given)


def test_the_image_holds_every_app_and_nothing_that_is_not_there():
    sources = {source.rstrip("/") for names, _ in deployment.copied() for source in names}
    packages = {app.split(".")[0] for app in settings.INSTALLED_APPS} & {p.name for p in ROOT.iterdir()}

    assert packages | {"config", "manage.py"} <= sources
    assert all((ROOT / source).exists() for source in sources)


def test_what_the_image_copies_is_sent_to_its_build():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    needed = {source.rstrip("/") for names, _ in deployment.copied() for source in names}

    assert lines[0] == "*"
    assert needed | {"requirements.txt"} == {line[1:] for line in lines if line.startswith("!")}


def test_each_image_is_built_by_one_service_and_what_is_built_is_never_pulled():
    services = COMPOSE["services"].values()
    built = [service["image"] for service in services if "build" in service]

    assert len(built) == len(set(built)) == 1
    assert {s["pull_policy"] for s in services if s["image"] in built} == {"never"}
    assert COMPOSE["services"]["migrate"]["image"] in built


def test_all_that_the_image_imports_is_compiled_in_it():
    """Nothing can be written where it runs, so what is not compiled then is compiled at each start."""
    runs = [text for name, text in deployment.final_stage() if name == "RUN"]
    (compiled,) = [run for run in runs if "pip install" in run]
    (path,) = re.findall(r"python -m compileall -q \"\$\((python .*)\)\"", compiled)

    shown = subprocess.run(
        ["sh", "-c", path.replace("python", shlex.quote(sys.executable), 1)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(os.__file__).parent.samefile(shown.stdout.strip())


def test_the_image_is_pinned_and_does_not_run_as_root():
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    (user,) = [arguments for name, arguments in deployment.final_stage() if name == "USER"]
    services = COMPOSE["services"].values()
    images = [service["image"] for service in services if service.get("pull_policy") != "never"]

    assert all(re.fullmatch(r"[a-z]+:\d+[\w.-]*", image) for image in bases + images)
    assert int(user.split(":")[0]) > 0


def test_all_ways_of_serving_run_the_same_command():
    (image,) = [json.loads(arguments) for name, arguments in deployment.final_stage() if name == "CMD"]
    unit = (ROOT / "deploy/systemd/btec-web.service").read_text()
    (started,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    readme = (ROOT / "README.md").read_text()

    assert image == ["python", "-m", "gunicorn", "config.wsgi", "--config", "deploy/gunicorn.conf.py"]
    assert shlex.split(started)[1:] == image[1:]
    assert f".venv/bin/{' '.join(image)}" in readme


def test_the_times_of_all_files_fit_each_other():
    """Who waits for another waits longer than it: nginx for gunicorn, Docker and systemd for its end."""
    lock = settings.BTEC_LOCK_SECONDS
    graceful = lock + 20
    (read,) = re.findall(r"proxy_read_timeout (\d+)s", deployment.TEMPLATE.read_text())
    (stop,) = re.findall(r"TimeoutStopSec=(\d+)", (ROOT / "deploy/systemd/btec-web.service").read_text())

    assert f'number("BTEC_LOCK_SECONDS", {lock}, maximum=600) + 20' in GUNICORN.read_text()
    assert int(read) > graceful
    assert int(stop) > graceful
    assert COMPOSE["services"]["web"]["stop_grace_period"] == f"{stop}s"


def test_nginx_lets_a_little_more_through_than_the_service_takes():
    megabytes = deployment.variables((ROOT / "deploy/nginx.env").read_text())["PROXY_MAX_BODY"]

    assert (
        settings.BTEC_MAX_BODY_BYTES
        < int(megabytes.removesuffix("m")) * MiB
        <= 2 * settings.BTEC_MAX_BODY_BYTES
    )


def test_only_nginx_can_be_reached_and_only_one_service_migrates():
    services = COMPOSE["services"]

    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert COMPOSE["networks"]["inner"] == {"internal": True}
    assert services["postgres"]["networks"] == ["inner"]
    assert [name for name, s in services.items() if "migrate" in s.get("command", [])] == ["migrate"]
    assert services["migrate"]["restart"] == "no"
    assert services["web"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_compose_itself_accepts_its_file(tmp_path):
    compose = next((c for c in (["docker", "compose"], ["docker-compose"]) if works(c)), None)
    if not compose:
        pytest.skip("neither docker compose nor docker-compose is on this machine")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(EXAMPLE, tmp_path / "deploy/production.env")
    # Version 1 of the program does not know the name.
    text = re.sub(r"^name:.*\n", "", (ROOT / "compose.yaml").read_text(), flags=re.MULTILINE)
    (tmp_path / "compose.yaml").write_text(text)
    told = {**os.environ, "POSTGRES_PASSWORD": "x", "PROXY_HOST": HOST}

    shown = subprocess.run(
        [*compose, "config"], cwd=tmp_path, env=told, capture_output=True, text=True, check=False
    )

    assert shown.returncode == 0, shown.stderr
    assert yaml.safe_load(shown.stdout)["services"]["web"]["read_only"] is True


PAGES = [ROOT / "README.md", ROOT / "compose.yaml", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_for_compose_names_the_settings(page):
    """Else compose refuses its own file, as POSTGRES_PASSWORD is not set."""
    commands = re.findall(r"docker compose\s+([^`\n]+)", page.read_text())

    assert [c for c in commands if not c.startswith("--env-file deploy/production.env ")] == []


def restoring() -> tuple[str, str]:
    """What docs/deploy.md says to type for a restore: without Docker, and with it."""
    page = (ROOT / "docs/deploy.md").read_text()
    section = page.split("\nRestore into")[1].split("\n## ")[0]
    blocks = [textwrap.dedent(block) for block in re.findall(r"\n\n((?: {4}.*\n|\n)+)", section)]
    without, with_docker = blocks
    return without, with_docker


@pytest.mark.parametrize("way", [0, 1], ids=["without Docker", "with Docker"])
def test_a_restore_is_checked_on_the_new_database_in_the_order_that_is_rehearsed(way):
    typed, target = restoring()[way], ["NEW_DATABASE_URL=", "export DATABASE_NAME="][way]
    steps = ["createdb", "pg_restore", "--command=ANALYZE", "migrate", "check --database default", "replay"]
    rehearsed = ["create(new)", '"pg_restore"', "--command=ANALYZE", '"migrate"', '"check"', "replay(new"]
    script = (ROOT / "bin/try-restore").read_text().partition('run("pg_dump"')[2]

    places = [re.search(rf"(?<!\S){step}(?!\S)", typed).start() for step in steps]
    there = [script.index(step) for step in rehearsed]

    assert places == sorted(places)
    assert typed.index(target) < places[steps.index("migrate")]
    assert there == sorted(there)


def test_without_docker_the_new_database_is_asked_and_all_other_settings_are_the_services(tmp_path):
    (tmp_path / "btec.env").write_text("DATABASE_URL=old\nDJANGO_SECRET_KEY='a b$c'\n")
    tell = "import os, sys; print(*[os.environ[n] for n in sys.argv[1:]])"
    (tmp_path / "manage.py").write_text(tell)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (function,) = re.findall(r"^restored\(\).*$", restoring()[0], re.MULTILINE)
    typed = f"NEW_DATABASE_URL=new\n{function}\nrestored DATABASE_URL DJANGO_SECRET_KEY BTEC_ENV_FILE\n"
    typed = typed.replace("/etc/btec/btec.env", str(tmp_path / "btec.env"))

    shown = subprocess.run(["sh", "-c", typed], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert shown.stdout == "new a b$c /dev/null\n"


def test_the_service_in_docker_uses_the_database_that_it_is_told():
    url = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-service"]["environment"]["DATABASE_URL"]

    assert url.endswith("@postgres:5432/${DATABASE_NAME:-btec}")
    assert deployment.variables(EXAMPLE.read_text())["DATABASE_NAME"] == "btec"


def works(command: list[str]) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_its_units(unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")

    shown = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    complaints = [
        line for line in shown.stderr.splitlines() if "/srv/btec/.venv/bin/python is not" not in line
    ]
    assert [line for line in complaints if "btec-" in line] == []


def test_what_the_timers_run_is_a_command():
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        for command in re.findall(r"manage\.py (\w+)", unit.read_text()):
            assert command in get_commands(), f"{unit.name} runs {command}"
    for timer in (ROOT / "deploy/systemd").glob("*.timer"):
        assert timer.with_suffix(".service").exists()


def test_what_the_page_says_fills_the_template_in(tmp_path):
    if not shutil.which("envsubst"):
        pytest.skip("envsubst is not on this machine (Debian, Ubuntu: apt-get install gettext-base)")
    page = (ROOT / "docs/deploy.md").read_text()
    (values,) = re.findall(r"<<'END_OF_VALUES'\n(.*?)\n    END_OF_VALUES", page, re.DOTALL)
    values = re.sub("^ {4}", "", values, flags=re.MULTILINE)
    (command,) = re.findall(r"^ {4}(\( set -a; \. /etc/btec/nginx\.env\n.*? \))$", page, re.M | re.S)
    (tmp_path / "nginx.env").write_text(values)
    command = command.replace("/etc/btec/nginx.env", str(tmp_path / "nginx.env"))
    command = command.replace("/etc/nginx/conf.d/btec.conf", str(tmp_path / "btec.conf"))

    subprocess.run(["sh", "-c", command], cwd=ROOT, check=True)

    expected = deployment.filled(deployment.TEMPLATE.read_text(), deployment.variables(values))
    assert (tmp_path / "btec.conf").read_text() == expected
    assert "PROXY_" not in expected.replace("${PROXY_…}", "")
