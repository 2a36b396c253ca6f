"""Django's PostgreSQL, made to stand up quickly after the database was away."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Gives back dead connections until the pool has a live one.

    The pool would check as well (CONN_HEALTH_CHECKS), but waits 1, 2, 4 … seconds after each dead
    connection, and after a restart of the database all that it holds are dead.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        connection = super().get_new_connection(conn_params)
        # No pool: this is the connection to no database in particular, that test databases are made with.
        for _ in range(self.pool.max_size if self.pool else 0):
            try:
                ConnectionPool.check_connection(connection)
                break
            except Error:
                self.pool.putconn(connection)  # which replaces it
                connection = super().get_new_connection(conn_params)
        return connection
