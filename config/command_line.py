"""How manage.py ends where a person has to mend something: with a sentence, and without a traceback.

`--traceback` brings it back.
"""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, NotSupportedError, OperationalError, ProgrammingError

# PostgreSQL's codes; SQLite has only words. https://www.postgresql.org/docs/current/errcodes-appendix.html
UNDEFINED = ("42P01", "42703")  # undefined_table, undefined_column
PERMISSION_DENIED = "42501"


def run(arguments: list[str]) -> None:
    try:
        execute_from_command_line(arguments)
    except (
        ImproperlyConfigured,
        OperationalError,
        ProgrammingError,
        InterfaceError,
        NotSupportedError,
    ) as error:
        said = sentence(error)
        if not said or "--traceback" in arguments:
            raise
        sys.exit(said)


def sentence(error: Exception) -> str:
    """What is the matter and what to do, with the database's first line. Empty for a mistake of ours."""
    words = str(error).strip().partition("\n")[0]
    if isinstance(error, ImproperlyConfigured | NotSupportedError):
        return str(error)
    if lacks_tables(error):
        return f"The database lacks tables of this version: run manage.py migrate. It said: {words}"
    if isinstance(error, ProgrammingError) and _sqlstate(error) != PERMISSION_DENIED:
        return ""
    return f"The database that DATABASE_URL names cannot be used: {words}"


def lacks_tables(error: Exception) -> bool:
    said = str(error)
    return _sqlstate(error) in UNDEFINED or "no such table" in said or "no such column" in said


def _sqlstate(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
