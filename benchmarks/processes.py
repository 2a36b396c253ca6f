"""What Linux tells of processes: their children, their CPU time, their memory."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import live

MIB = 2**20


def children(pid: int) -> list[int]:
    """Its children; none where it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def tree(pid: int) -> list[int]:
    return [pid, *(found for child in children(pid) for found in tree(child))]


def cpu_seconds(pids: list[int]) -> float:
    """What these processes have computed so far, all threads together."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            # clock_getcpuclockid(3), which Python does not have. It counts nanoseconds, /proc/PID/stat ticks.
            total += time.clock_gettime(~pid << 3 | 2)
    return total


def memory(pid: int, field: str = "VmRSS") -> float:
    """MiB that it has in memory now; VmHWM: at most, since reset_peak()."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass(frozen=True)
class Ended:
    """A program that ran to its end: seconds, CPU seconds of it and its children, MiB at most, output."""

    wall: float
    cpu: float
    peak: float
    output: str


def run(command: list[str], environment: Mapping[str, str], input: Path | None = None) -> Ended:
    """Raises RuntimeError with what the program said where it failed."""
    with tempfile.TemporaryFile() as output, open(input or os.devnull, "rb") as sent:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=live.ROOT, env=environment, stdin=sent, stdout=output, stderr=output
        )
        with watched(process.pid) as peaks:
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode:
        shown = " ".join(map(str, command[:4]))
        raise RuntimeError(f"{shown} ended with {process.returncode}:\n{said[-3_000:]}")
    return Ended(wall, usage.ru_utime + usage.ru_stime, max(peaks, default=0), said)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Peaks of a process's memory. What wait4() tells of it is at least as much as we had at its start."""
    peaks: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            with suppress(OSError, StopIteration):  # it has ended
                peaks.append(memory(pid, "VmHWM"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def python(module: str, *arguments: str, environment: Mapping[str, str], interpreter: str = "") -> Ended:
    return run([interpreter or sys.executable, "-m", module, *arguments], environment)
