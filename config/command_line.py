"""How manage.py ends where a person has to mend something: with a sentence, and without a traceback.

`--traceback` brings it back.
"""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, NotSupportedError, OperationalError, ProgrammingError


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
        if "--traceback" in arguments:
            raise
        sys.exit(sentence(error))


def sentence(error: Exception) -> str:
    """What is the matter, and what to do. Of a database's own words the first line."""
    words = str(error).strip().partition("\n")[0]
    if isinstance(error, ImproperlyConfigured | NotSupportedError):
        return str(error)
    if lacks_tables(error):
        return f"The database lacks tables of this version: run manage.py migrate. It said: {words}"
    return f"The database that DATABASE_URL names cannot be used: {words}"


def lacks_tables(error: Exception) -> bool:
    """42P01 and 42703 are undefined_table and undefined_column; SQLite has only words."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in ("42P01", "42703") or "no such table" in str(error) or "no such column" in str(error)
