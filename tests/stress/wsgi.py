"""The service with a clock that can be set back: the seconds stand in the file that STRESS_CLOCK names.

And with little patience for a connection that fell silent in its turn: else a proof would take five minutes.
"""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

CLOCK = Path(os.environ["STRESS_CLOCK"])
real_now, real_time = timezone.now, time.time


def shift() -> float:
    return float(CLOCK.read_text() or 0)


def now() -> datetime:
    return real_now() + timedelta(seconds=shift())


# Before the models are loaded, which take the function itself as their default.
timezone.now = now
time.time = lambda: real_time() + shift()

from config.wsgi import application  # noqa: E402


def lose_patience() -> None:
    from btec_sync import turns  # only once the apps are loaded

    turns.SILENT_SECONDS = 2


lose_patience()
__all__ = ["application"]
