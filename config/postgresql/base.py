"""Django's PostgreSQL, made to stand up quickly after the database was away, and to read times quickly."""

import select
from datetime import UTC, datetime
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg import Connection, Error
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.datetime import TimestamptzLoader
from psycopg_pool import ConnectionPool

from config.postgresql import WrongEncoding


class InstantLoader(TimestamptzLoader):
    """A time as text from a connection whose time zone is UTC, as Django sets it. Django's own takes 8 µs."""

    timezone = UTC  # Django puts its own loader in place of one with another zone

    def load(self, data: Buffer) -> datetime:
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:  # what Python's years do not reach
            return super().load(data)


def is_silent(connection: Connection) -> bool:
    """Whether the server has said nothing since it was last spoken to: not even good-bye.

    Who ends a session says so and closes it, and so does the kernel of a server that was killed; it can
    be read from the socket, without the trip that a question takes.
    """
    socket = select.poll()
    socket.register(connection.pgconn.socket, select.POLLIN)
    return not socket.poll(0)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["context"] = AdaptersMap(params["context"])
        params["context"].register_loader("timestamptz", InstantLoader)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """A live connection: gives back dead ones until the pool has one.

        The pool would check as well (CONN_HEALTH_CHECKS), but waits 1, 2, 4 … seconds after each dead
        connection, and after a restart of the database all that it holds are dead.
        """
        connection = super().get_new_connection(conn_params)
        # No pool: this is the connection to no database in particular, that test databases are made with.
        for _ in range(self.pool.max_size if self.pool else 0):
            try:
                if not is_silent(connection):
                    ConnectionPool.check_connection(connection)
                break
            except Error:
                self.pool.putconn(connection)  # which replaces it
                connection = super().get_new_connection(conn_params)
        return connection

    def bound_cursor(self) -> CursorWrapper:
        """A cursor whose parameters go beside its statement, bytes as they are.

        Django's usual one writes them into the text, bytes as two digits each: 270 KB take ten times as
        long. In return it takes several statements at once, and this takes one.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(base.ServerBindingCursor(self.connection))

    def _commit(self) -> None:
        try:
            super()._commit()
        except KeyboardInterrupt:
            # The COMMIT is still under way, and what is done next to the session would fail in place of this.
            self.close()
            raise

    def init_connection_state(self) -> None:
        super().init_connection_state()
        encoding = self.connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            self.close()  # or the next statement would find it as good as any
            raise WrongEncoding(
                f"The database is in {encoding}, which cannot hold every name. "
                "Make one in UTF-8: createdb --encoding=UTF8 --template=template0"
            )
