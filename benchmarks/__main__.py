"""Measures the service beside its references, and prints a table.

    make bench                          about a quarter of an hour
    make bench ARGS=--full              the largest sizes; an hour or more
    make bench ARGS=--short             a smoke run: does it all still work?
    make bench ARGS="batches single"    these scenarios alone
    make bench ARGS="batches --database sqlite"

What is measured and how to read it: benchmarks/README.md. The exit status says whether everything ran, gave
right answers, and asked no more queries where there was more; it never depends on a time.
"""

import argparse
import signal
import sys
import time

from benchmarks import machine
from benchmarks.databases import DATABASES
from benchmarks.report import Report
from benchmarks.scenarios import SCENARIOS
from benchmarks.stage import Stage


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    length = "short" if options.short else "full" if options.full else "default"
    rounds = options.rounds or (1 if options.short else 5)
    stage = Stage(length, options.database or list(DATABASES), rounds)
    report = Report()
    with stage.stack:
        try:
            for name in options.names or SCENARIOS:
                began = time.monotonic()
                stage.noise.sample()
                SCENARIOS[name](stage, report)
                say(f"{name}: {time.monotonic() - began:.0f} s")
        except KeyboardInterrupt:
            report.note(f"stopped during {name}: what was found until then")
        stage.noise.sample()
        described = machine.describe(stage)
    sys.stdout.write("\n" + report.markdown(described))
    for what in report.failed:
        say(f"missed, and no time: {what}")
    return 1 if report.failed else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="a smoke run, for CI")
    length.add_argument("--full", action="store_true", help="the largest sizes")
    parser.add_argument("--rounds", type=int, metavar="N", help="so many of each that count (5)")
    parser.add_argument("--database", action="append", choices=list(DATABASES), help="only on this one")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
