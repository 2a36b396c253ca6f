"""The service's database backend: base.py."""

from django.db import NotSupportedError


class WrongEncoding(NotSupportedError):
    """The database is not in UTF-8, so that a name could be refused that SQLite and Zoho hold."""
