"""How manage.py ends where a person has to mend something: with a sentence, and without a traceback.

`--traceback` brings it back.
"""

import sqlite3
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError, OperationalError

from config.postgresql import WrongEncoding

# PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
UNDEFINED = ("42P01", "42703")  # undefined_table, undefined_column
PERMISSION_DENIED = "42501"
# SQLite has only words.
LACKING = ("no such table", "no such column")
IN_TROUBLE = ("unable to open", "database is locked", "readonly database", "disk", "full", "not a database")


def run(arguments: list[str]) -> None:
    """Ends with 2, as every command does for wrong use or a database that is away."""
    try:
        execute_from_command_line(arguments)
    except (ImproperlyConfigured, DatabaseError, InterfaceError) as error:
        said = sentence(error)
        if not said or "--traceback" in arguments:
            raise
        sys.stderr.write(f"{said}\n")
        sys.exit(2)


def sentence(error: Exception) -> str:
    """What is the matter and what to do, with the database's first line. Empty for a mistake of ours."""
    words = str(error).strip().partition("\n")[0]
    if isinstance(error, ImproperlyConfigured | WrongEncoding):
        return str(error)
    if lacks_tables(error):
        return f"The database lacks tables of this version: run manage.py migrate. It said: {words}"
    if _is_in_trouble(error):
        return f"The database that DATABASE_URL names cannot be used: {words}"
    return ""


def lacks_tables(error: Exception) -> bool:
    return _sqlstate(error) in UNDEFINED or any(words in str(error) for words in LACKING)


def _is_in_trouble(error: Exception) -> bool:
    if isinstance(error.__cause__, sqlite3.Error):
        return any(words in str(error) for words in IN_TROUBLE)
    return isinstance(error, OperationalError | InterfaceError) or _sqlstate(error) == PERMISSION_DENIED


def _sqlstate(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
