"""The servers that are measured, each a process group on a port of the loopback, and how to talk to them."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.processes import children

TIMEOUT = 300


class Server:
    """A program that serves the socket it is given. `command` says {fd} where that goes."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.command = command
        self.environment = dict(environment)

    def __enter__(self) -> "Server":
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            self.port: int = listener.getsockname()[1]
            log, name = tempfile.mkstemp(prefix="btec-bench-", suffix=".log")
            self.log = Path(name)
            self.process = subprocess.Popen(
                [part.format(fd=listener.fileno()) for part in self.command],
                cwd=Path(__file__).parent.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
            os.close(log)
        try:
            self._wait_until_alive()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_until_alive(self) -> None:
        # The kernel keeps the connection until a worker takes it, or resets it when there is none to come.
        try:
            with closing(Client(self)) as client:
                client.get("/healthz")
        except (OSError, http.client.HTTPException) as error:
            raise RuntimeError(f"{self.command} did not start:\n{self.log.read_text()}") from error

    def __exit__(self, *_: object) -> None:
        # At once: its database is thrown away too, and gunicorn would wait for connections that are kept.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.unlink()

    def workers(self) -> list[int]:
        """The processes that answer: the children of the one we started, or itself where it has none."""
        return children(self.process.pid) or [self.process.pid]


class Client:
    """One connection that is kept, as a proxy in front of the service keeps it."""

    def __init__(self, server: Server, headers: Mapping[str, str] | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        self.headers = {"Content-Type": "application/json", **(headers or {})}

    def get(self, path: str) -> bytes:
        return self._request("GET", path, None)

    def post(self, path: str, body: bytes) -> bytes:
        return self._request("POST", path, body)

    def post_any(self, path: str, body: bytes) -> int:
        """Posts what may be refused; the status."""
        return self._exchange("POST", path, body)[0]

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        status, content = self._exchange(method, path, body)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]!r}")
        return content

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        self.connection.request(method, path, body, self.headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        self.connection.close()
