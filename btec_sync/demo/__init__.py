"""The demo data: a small college's year as Zoho would send it, for manage.py load_demo.

requests() makes the same bytes on every machine and on every day. Nothing here knows the database: 3
programs, 20 units, 60 students, 80 registrations, and what was paid and achieved on these, are JSON
for the modules by name. At the end stand the requests that went wrong, for staff to look at.
"""

from collections.abc import Iterator

from .college import Dice, catalogue, enrol, grades, payments, registrations, students
from .mishaps import mishaps, repeats
from .sending import Request, batches

SEED = 2025


def requests() -> Iterator[Request]:
    """All requests in the order in which Zoho makes them."""
    dice = Dice(SEED)
    enrolments = list(enrol(dice))
    saves = [
        *catalogue(dice),
        *students(dice, enrolments),
        *registrations(dice, enrolments),
        *payments(dice, enrolments),
        *grades(dice, enrolments),
    ]
    yield from batches(saves)
    yield from repeats(saves)
    yield from mishaps()
