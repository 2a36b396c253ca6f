"""What the figures were taken on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.contenders import OTHERS
from benchmarks.processes import run
from benchmarks.stage import Stage

OTHER_NAMES = ["fastapi", "pydantic", "sqlalchemy", "uvicorn", "dlt", "meltanolabs-target-postgres"]
OURS = ["Django", "djangorestframework", "psycopg", "gunicorn"]


def describe(stage: Stage) -> list[str]:
    databases = [f"{database.version} ({database.settings()})" for database in stage.opened.values()]
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {stage.length} run, {stage.rounds} rounds that count",
        f"{_processor()}, {os.cpu_count()} cores, {_memory()}",
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in OURS)}",
        *databases,
        f"the others: {_others()}",
        stage.noise.described(),
    ]


def _others() -> str:
    if not os.path.exists(OTHERS):
        return "not installed; left out"
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    found = run([OTHERS, "-c", code, *OTHER_NAMES], dict(os.environ)).output.split()
    return ", ".join(map(" ".join, zip(OTHER_NAMES, found, strict=True)))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
