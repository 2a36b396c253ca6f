"""A TCP proxy before PostgreSQL that can cut, tear, delay and refuse connections."""

import socket
import struct
import threading
import time
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset and forgets what was not sent

# A request is stored by a statement alone, which commits by itself.
COMMITS = (b"COMMIT", b'INSERT INTO "btec_sync_delivery"')


class Link:
    """One connection: the client's side and the database's."""

    def __init__(self, client: socket.socket, database: socket.socket) -> None:
        self.client = client
        self.database = database

    def cut(self) -> None:
        for side in (self.client, self.database):
            cut(side)


def cut(side: socket.socket) -> None:
    with suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        side.shutdown(socket.SHUT_RDWR)
    side.close()


class Proxy:
    """Forwards 127.0.0.1:port to the target, and breaks it on demand.

    delay: seconds that each part of the stream waits. refusing: new connections are closed at once.
    tears: so many parts are forwarded by half and their connections cut. before_commit, after_commit:
    so many connections are cut before what they commit next reaches the database, or before its outcome
    reaches the service. half_open: the service's side is cut there, the database's stays.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.links: set[Link] = set()
        self.forgotten: list[socket.socket] = []
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self) -> None:
        self.delay = 0.0
        self.refusing = False
        self.tears = self.before_commit = self.after_commit = self.half_open = 0

    def close(self) -> None:
        self.refusing = True
        self.listener.close()
        self.cut_all()
        self.release_forgotten()

    def cut_all(self) -> None:
        with self.lock:
            links, self.links = self.links, set()
        for link in links:
            link.cut()

    def release_forgotten(self) -> None:
        while self.forgotten:
            cut(self.forgotten.pop())

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                cut(client)
                continue
            try:
                database = socket.create_connection(self.target, timeout=5)
            except OSError:
                cut(client)
                continue
            database.settimeout(None)
            for side in (client, database):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(client, database)
            with self.lock:
                self.links.add(link)
            for ends in ((client, database), (database, client)):
                threading.Thread(target=self._pump, args=(link, *ends), daemon=True).start()

    def _pump(self, link: Link, source: socket.socket, sink: socket.socket) -> None:
        to_database = source is link.client
        with suppress(OSError):
            while part := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                if self._spend("tears"):
                    sink.sendall(part[: len(part) // 2])
                    break
                if to_database and any(word in part for word in COMMITS):
                    if self._spend("before_commit"):
                        break
                    if self._spend("half_open"):
                        with self.lock:
                            self.forgotten.append(link.database)
                            self.links.discard(link)
                        cut(link.client)
                        return
                    if self._spend("after_commit"):
                        # The reply pump must not be quicker than the cut.
                        cut(link.client)
                        sink.sendall(part)
                        time.sleep(0.05)
                        break
                sink.sendall(part)
        if link.database not in self.forgotten:
            with self.lock:
                self.links.discard(link)
            link.cut()

    def _spend(self, name: str) -> bool:
        """Takes one of the breakages ordered under that name, if there is one left."""
        with self.lock:
            left = getattr(self, name)
            if left:
                setattr(self, name, left - 1)
            return left > 0
