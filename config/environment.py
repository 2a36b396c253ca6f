"""Environment variables, read strictly: what cannot be understood stops the start and is named."""

from collections.abc import Collection
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
# What the environment says wins over the file.
env.read_env(BASE_DIR / ".env", overwrite=False)

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
    text = env.str(name, default="")
    if not text:
        return default
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name}: expected true or false, got {text!r}.") from None


def number(name: str, default: int, *, minimum: int = 1, maximum: int) -> int:
    text = env.str(name, default="")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
        raise ImproperlyConfigured(
            f"{name}: expected a whole number from {minimum} to {maximum}, got {text!r}."
        )
    return int(text)


def choice(name: str, default: str, options: Collection[str]) -> str:
    """One of a few words."""
    text = env.str(name, default="") or default
    if text not in options:
        raise ImproperlyConfigured(f"{name}: expected one of {', '.join(options)}, got {text!r}.")
    return text


def time_zone(name: str, default: str) -> str:
    """A zone of the IANA database, as Europe/London."""
    text = env.str(name, default="") or default
    try:
        ZoneInfo(text)
    except (ValueError, ZoneInfoNotFoundError):
        raise ImproperlyConfigured(f"{name}: expected a time zone as Europe/London, got {text!r}.") from None
    return text


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list; blanks around the commas do not count."""
    text = env.str(name, default="")
    return [word.strip() for word in text.split(",") if word.strip()] if text else default


def database(name: str, default: str, *, lock_seconds: int, pool_size: int) -> dict:
    """Django's settings for the database of a URL: postgres://user:password@host:port/name or sqlite:///path."""
    url = env.str(name, default="") or default
    try:
        settings = env.db_url_config(url)
    except ValueError:
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
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "connect_timeout": 5,
                **options,
                "pool": {"min_size": 1, "max_size": pool_size, "timeout": lock_seconds},
            },
        }
    # The URL may hold a password, so it is not repeated here.
    raise ImproperlyConfigured(f"{name}: expected postgres://user:password@host:port/name or sqlite:///path.")
