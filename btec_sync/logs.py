"""Log lines: JSON in production, readable with DEBUG; without personal data, whatever went wrong."""

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.typing import EventDict, Processor

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
FIRST = ("timestamp", "level", "event", "request", "code", "duration_ms", "tenant", "module", "delivery")


def set_up(level: str, *, as_json: bool) -> dict[str, Any]:
    """Makes structlog write through Python's logging, and returns Django's LOGGING for that."""
    structlog.configure(
        processors=[*_facts(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if as_json:
        logging.captureWarnings(True)
    own = {"handlers": ["console"], "level": level, "propagate": False}
    return {
        **console(as_json=as_json),
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "btec_sync": own,
            "django_structlog": own,
            "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
            # It repeats what the line of the request says, with the whole address.
            "django.request": {"level": "CRITICAL"},
            # Its warnings name users; the attempts themselves are in the admin.
            "axes": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        },
    }


def console(*, as_json: bool) -> dict[str, Any]:
    """The part of a logging configuration that says where lines go and how they look."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        # What does not come from structlog, as Django's own lines.
        "foreign_pre_chain": _facts(),
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([in_order, structlog.processors.JSONRenderer()] if as_json else [_readable()]),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": formatter},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    }


def _facts() -> list[Processor]:
    """What is added to every line."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        plain_exception,
    ]


def _readable() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def plain_exception(logger: Any, method: str, event: EventDict) -> EventDict:
    """Of an exception its class and where it came from; never its text, and no local variables.

    A database's words ("Failing row contains (…)") hold the record itself.
    """
    event.pop("stack_info", None)
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exception() if given else None
    if error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [type(error).__name__, *(f"  {f.filename}:{f.lineno} in {f.name}" for f in frames)]
        event["exception"] = "\n".join(lines)
    return event


def in_order(logger: Any, method: str, event: EventDict) -> EventDict:
    """What people look for comes first, and always in the same order."""
    return {name: event[name] for name in FIRST if name in event} | event


def states(counts: Mapping[str, int]) -> dict[str, int]:
    """How many records ended in which state, as a line says it: without those in which none did."""
    return {str(state): count for state, count in counts.items() if count}


def note(**facts: Any) -> None:
    """Facts for every line from here to the end of the request, or of the block of about().

    Outside of both, as in a command, there is no line that they belong to, and they are let go.
    """
    if get_contextvars():
        bind_contextvars(**facts)


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Lines within are about this; what is noted within is forgotten afterwards."""
    before = get_contextvars()
    bind_contextvars(**facts)
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the line for each delivery out of a terminal that shows a command's own progress."""
    logger = logging.getLogger("btec_sync")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)
