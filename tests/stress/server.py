"""gunicorn as production runs it, which can be killed and started again on the same port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress

from tests import live

WORKERS = 2


class Server:
    """Two workers of gunicorn, and the port that outlives them.

    The socket is ours, as a supervisor's would be: who connects while there is no server waits for the
    next one. The log comes through a pipe and is kept, as a limit on files must not silence it.
    """

    def __init__(self, database_url: str, *, threads: int = 8, **environment: str) -> None:
        self.counts = tempfile.TemporaryDirectory(prefix="btec-stress-")
        self.environment = live.environ(
            database_url, PROMETHEUS_MULTIPROC_DIR=self.counts.name, **environment
        )
        self.threads = threads
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        self.lines: list[str] = []

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        self.listener.close()
        self.counts.cleanup()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "tests.stress.wsgi"),
                *("--config", "deploy/gunicorn.conf.py", "--bind", f"fd://{self.listener.fileno()}"),
                *("--workers", str(WORKERS), "--threads", str(self.threads)),
            ],
            cwd=live.ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[self.listener.fileno()],
            start_new_session=True,
        )
        threading.Thread(target=self._keep_log, args=(self.process.stdout,), daemon=True).start()

    def _keep_log(self, output) -> None:
        with output:
            self.lines += output

    def workers(self) -> list[int]:
        """The workers' process ids."""
        return live.children(self.process.pid)

    def wait_for_workers(self) -> None:
        deadline = time.monotonic() + 30
        while len(self.workers()) < WORKERS:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("gunicorn did not start:\n" + "".join(self.lines[-40:]))
            time.sleep(0.05)

    def kill(self) -> None:
        """Master and workers at once, as a power cut ends them."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self, **environment: str) -> None:
        """Ends it and starts it with other settings."""
        self.terminate()
        self.environment |= environment
        self.start()
        self.wait_for_workers()

    def terminate(self) -> None:
        """SIGTERM: requests under way are finished."""
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError("gunicorn did not end on SIGTERM:\n" + "".join(self.lines[-40:])) from None
