"""tests/test_oracle.py at length: random sequences, until so many records were compared with the oracle."""

import os
import re
import subprocess
import sys

from tests import live

#: For each run of the test: sequences, and the most records of one batch.
EXAMPLES = 120
LARGEST_BATCH = 20
COMPARED = re.compile(r"([\d,]+) records compared with the oracle without a difference")


def compared_with_the_oracle(database_url: str, wanted: int) -> tuple[int, list[str]]:
    """How many records were compared, and what is wrong. Every run of the test makes other sequences."""
    compared = 0
    while compared < wanted:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/test_oracle.py"],
            cwd=live.ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "BTEC_TEST_ORACLE_EXAMPLES": str(EXAMPLES),
                "BTEC_TEST_ORACLE_BATCH": str(LARGEST_BATCH),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        found = COMPARED.search(done.stderr + done.stdout)
        if done.returncode or not found:
            return compared, [f"the oracle says otherwise:\n{done.stdout[-5_000:]}"]
        compared += int(found[1].replace(",", ""))
    return compared, []
