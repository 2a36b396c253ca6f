"""How log lines look: no personal data, whatever went wrong."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class PlainFormatter(logging.Formatter):
    """One line a message; of an exception its class and where it came from, never its text.

    A database's words ("Failing row contains (…)") hold the record itself.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        kind, _, trace = ei
        frames = traceback.extract_tb(trace)
        return "\n".join(
            [kind.__name__ if kind else "", *(f"  {f.filename}:{f.lineno} in {f.name}" for f in frames)]
        )


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
