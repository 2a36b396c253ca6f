"""Breaks the code on purpose, one way at a time: each way must be noticed by a test.

    make mutants                      all, and the table of docs/mutants.md is written anew
    python -m tests.stress.mutants 3 7    only these

Which ways these are: ways.py. The tree is copied for each, so
the checkout is never touched. Exit status 1 when one survives or does not fit the code any more.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.stress.ways import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "mutants.md"
MOST_SECONDS = 900


def main(numbers: list[int]) -> int:
    chosen = numbers or range(1, len(MUTANTS) + 1)
    rows = []
    #: Whether these tests pass where nothing is broken.
    sound: dict[str, bool] = {}
    for number in chosen:
        mutant = MUTANTS[number - 1]
        started = time.monotonic()
        if mutant.tests not in sound:
            sound[mutant.tests] = try_out(replace(mutant, new=mutant.old)) == "survived"
        verdict = try_out(mutant) if sound[mutant.tests] else "odd (its tests fail without it)"
        rows.append((number, mutant, verdict))
        sys.stdout.write(f"{number:>3} {verdict:<10} {time.monotonic() - started:5.1f} s  {mutant.name}\n")
        sys.stdout.flush()
    caught = sum(verdict.startswith("caught") for _, _, verdict in rows)
    sys.stdout.write(f"{caught} of {len(rows)} caught\n")
    if not numbers:
        TABLE.write_text(table(rows))
    return 0 if caught == len(rows) else 1


def try_out(mutant: Mutant) -> str:
    """ "caught", "survived", or "misfit" where the code no longer holds what is to be replaced."""
    source = (ROOT / mutant.file).read_text()
    if source.count(mutant.old) != 1:
        return "misfit"
    with tempfile.TemporaryDirectory(prefix="btec-mutant-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(
            ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv*", "*.sqlite3*", "__pycache__")
        )
        (tree / mutant.file).write_text(source.replace(mutant.old, mutant.new))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            *mutant.tests.split(),
        ]
        try:
            done = subprocess.run(
                command, cwd=tree, env=os.environ, capture_output=True, timeout=MOST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "odd (too slow)"
    # 1: tests failed. Anything else (no tests, wrong use) is no proof.
    return {0: "survived", 1: "caught"}.get(done.returncode, f"odd ({done.returncode})")


def table(rows: list[tuple[int, Mutant, str]]) -> str:
    head = (
        "# Broken on purpose\n\n"
        "What `make mutants` printed last: the code broken in one way at a time, and whether the tests"
        " noticed.\n\n"
        "| # | broken so that | in | noticed by | result |\n| --- | --- | --- | --- | --- |\n"
    )
    lines = [f"| {n} | {m.name} | `{m.file}` | `{m.tests}` | {verdict} |" for n, m, verdict in rows]
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]]))
