"""Environment variables, read strictly: what cannot be understood stops the start and is named."""

import warnings
from collections.abc import Collection
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg_pool import ConnectionPool

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (named := env.ENVIRON.get("BTEC_ENV_FILE")) and not Path(named).exists():
    raise ImproperlyConfigured(f"BTEC_ENV_FILE: there is no file {named}.")
# What the environment says wins over the file.
env.read_env(named or BASE_DIR / ".env", overwrite=False)


def text(name: str, default: str = "") -> str:
    """The value as it stands; env.str() would take one that begins with $ for another variable's name."""
    return env.ENVIRON.get(name) or default


def secret(name: str, *, least: int) -> str:
    """A secret that goes into a header; empty where there is none. The error does not repeat it."""
    value = text(name)
    if value and not (len(value) >= least and value.isascii() and value.isprintable() and " " not in value):
        raise ImproperlyConfigured(f"{name}: expected at least {least} ASCII characters without blanks.")
    return value


FLAGS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def flag(name: str, default: bool) -> bool:
    """True or False; django-environ itself would take a typing error for False."""
    value = text(name)
    if not value:
        return default
    try:
        return FLAGS[value.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name}: expected true or false, got {value!r}.") from None


def number(name: str, default: int, *, minimum: int = 1, maximum: int) -> int:
    value = text(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
        raise ImproperlyConfigured(
            f"{name}: expected a whole number from {minimum} to {maximum}, got {value!r}."
        )
    return int(value)


def choice(name: str, default: str, options: Collection[str]) -> str:
    """One of a few words."""
    value = text(name, default)
    if value not in options:
        raise ImproperlyConfigured(f"{name}: expected one of {', '.join(options)}, got {value!r}.")
    return value


def time_zone(name: str, default: str) -> str:
    """A zone of the IANA database, as Europe/London."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ValueError, ZoneInfoNotFoundError):
        raise ImproperlyConfigured(f"{name}: expected a time zone as Europe/London, got {value!r}.") from None
    return value


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list; blanks around the commas do not count."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


CONNECTION = {"ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS"}


def database(name: str, default: str, *, lock_seconds: int, pool_size: int) -> dict:
    """Django's settings for the database of a URL: postgres://user:password@host:port/name or sqlite:///path."""
    url = text(name, default)
    try:
        with warnings.catch_warnings(action="ignore"):  # which name the password
            settings = env.db_url_config(url)
    except ValueError:
        settings = {}
    # Anything else a URL can say (conn_max_age, atomic_requests) is the service's own business.
    if not settings.get("NAME") or not settings.keys() <= CONNECTION:
        settings = {}
    engine = settings.get("ENGINE", "")
    if engine == "django.db.backends.sqlite3":
        return {
            **settings,
            "OPTIONS": {
                # Two writers take turns from their first statement; a deferred transaction that turns into
                # a writer later is refused at once instead of waiting.
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
                "timeout": 20,
            },
        }
    if engine == "django.db.backends.postgresql":
        options = settings.get("OPTIONS", {})
        return {
            **settings,
            "ENGINE": "config.postgresql",  # which checks connections itself
            "OPTIONS": {
                "connect_timeout": 5,
                # A server that vanished sends nothing any more; else a request would wait for hours.
                "keepalives_idle": 5,
                "keepalives_interval": 5,
                "keepalives_count": 2,
                "tcp_user_timeout": 15_000,
                **options,
                "pool": {
                    "min_size": 1,
                    "max_size": pool_size,
                    "timeout": lock_seconds,
                    # Tries about once a second while the database is away. Alone, the pool doubles its
                    # pauses, and after half an hour would find the database minutes late.
                    "reconnect_timeout": 2,
                    "reconnect_failed": ConnectionPool.check,
                },
            },
        }
    # The URL may hold a password, so it is not repeated here.
    raise ImproperlyConfigured(f"{name}: expected postgres://user:password@host:port/name or sqlite:///path.")
