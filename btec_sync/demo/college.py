"""The college's year: who enrols, pays and is graded, as its office saves it in Zoho day by day."""

import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from itertools import count
from typing import TypeVar

from .sending import Record, Save, zoho_name

T = TypeVar("T")

ZONE = timezone(timedelta(hours=3))
OPENING = date(2025, 9, 1)
CLOSING = date(2026, 7, 15)

# The examples of the API point at stud_456, prog_789, reg_456 and unit_789, so these are here. What the
# examples make themselves (reg_123, pay_123, unit_123, grade_123) is not: it has to be NEW.
AHMED = 55  # among the students from stud_401 on, and among the registrations from reg_401 on
AHMEDS_NEXT_UNIT = "unit_789"

# Program: name, price, Moodle's id.
PROGRAMS = {
    "prog_787": ("Applied Engineering", 3600.00, "40"),
    "prog_788": ("Creative Media", 2750.00, "41"),
    "prog_789": ("Business IT", 3000.00, "42"),
}

# Units of a program: name, level, hours.
UNITS = {
    "prog_787": [
        ("Workshop Safety and Measurement", "L3", 30),
        ("Mathematics for Technicians", "L3", 60),
        ("Mechanics of Machines", "L4", 60),
        ("Electrical Circuits", "L4", 45),
        ("Computer-Aided Drawing", "L4", 37.5),
        ("Control and Automation", "L5", 60),
        ("Engineering Group Project", "L5", 90),
    ],
    "prog_788": [
        ("Photography and Light", "L3", 30),
        ("Writing for Screen and Page", "L3", 30),
        ("Sound Recording and Mixing", "L4", 45),
        ("Editing Moving Images", "L4", 60),
        ("Motion Graphics", "L5", 60),
        ("Producing a Client Brief", "L5", 90),
    ],
    "prog_789": [
        ("Information Systems in Business", "L3", 30),
        ("Spreadsheet Modelling", "L3", 30),
        ("Database Design and Use", "L4", 60),
        ("Networks for Small Offices", "L4", 45),
        ("Planning and Building Websites", "L4", 60),
        ("Data Security in Practice", "L5", 45),
        ("Managing an IT Project", "L5", 90),
    ],
}
PREFIXES = {"prog_787": "ENG", "prog_788": "MED", "prog_789": "BIT"}

# The first unit of every program is assessed first.
ASSESSED = [
    date(2025, 11, 12),
    date(2025, 12, 10),
    date(2026, 2, 11),
    date(2026, 3, 11),
    date(2026, 4, 22),
    date(2026, 5, 20),
    date(2026, 6, 14),
]

NAMES = [
    ("Layla Omar Yasmin Khaled Rania Tariq Huda Sami", "Haddad Nasser Qasim Mansour Barakat Zaidan"),
    ("Priya Arjun Meera Rohan Anjali Vikram", "Nair Deshpande Chatterjee Menon Iyer"),
    ("Sofía Mateo Inés Andrés Lucía Álvaro", "Núñez Quintana Ibáñez Salcedo Rosales"),
    ("Adaeze Chidi Folake Tunde Ngozi Emeka", "Okonkwo Adeyemi Balogun Nwachukwu"),
    ("Emily Callum Zoë Rhys Bethan Hamish", "Ashworth Pritchard Lockhart Fairley"),
    ("Oksana Taras Iryna Bohdan Milena Dragan", "Kovalenko Marchuk Petrović Horvat"),
    ("Mei Haruto Jiho Lan Minh Sakura", "Tanaka Nguyễn Zhou Park Fujimoto"),
    ("Elif Emre Zeynep Çağan Defne Kerem", "Çelik Öztürk Aksoy Demirel"),
]

METHODS = ["Bank Transfer", "Credit Card", "Cash", "Cheque"]
# Into how many instalments registrations in turn divide their price.
PLANS = [1, 2, 2, 3, 1]

SCORES = {"P": (40, 59), "M": (60, 74), "D": (75, 100), "R": (15, 38)}
COMMENTS = {
    "P": ["", "All criteria met.", "Sound work; sources need to be named.", ""],
    "M": ["", "Good analysis of the case.", "Clear structure, and well argued."],
    "D": ["Evaluates alternatives and gives reasons.", "Independent and thorough."],
    "R": ["P3 not met: resubmit by the date agreed.", "Evidence is missing for P2.", "Handed in late."],
}


@dataclass(frozen=True)
class Enrolment:
    """A student's time on a program; ending is the status it ended with, "" where it goes on."""

    id: str
    student: str
    name: str
    program: str
    start: date
    ending: str = ""
    end: date | None = None

    def lookup(self) -> Record:
        """The student as other records name her or him."""
        return {"id": self.student, "name": self.name}

    def lasts_on(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day <= self.end)


class Dice(random.Random):
    """Chance that falls alike on every Python: only random() is promised to stay as it is."""

    def between(self, low: int, high: int) -> int:
        return low + int(self.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        return options[self.between(0, len(options) - 1)]

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def time_on(self, day: date) -> datetime:
        """Some moment of that day's office hours."""
        clock = time(self.between(8, 16), self.between(0, 59), self.between(0, 59), tzinfo=ZONE)
        return datetime.combine(day, clock)


def enrol(dice: Dice) -> Iterator[Enrolment]:
    """60 students who start in autumn, 20 of whom take a second program from the new year."""
    first = [_autumn(dice, n, name) for n, name in enumerate(names(dice))]
    yield from first
    movers = [e for e in first if e.ending == "Transferred"]
    ambitious = [e for e in first if e.ending == "Completed"]
    for n, before in enumerate([*movers, *ambitious][:20]):
        others = [program for program in PROGRAMS if program != before.program]
        start = date(2026, 1, 18) + timedelta(days=dice.between(0, 14))
        yield Enrolment(f"reg_{461 + n}", before.student, before.name, dice.pick(others), start)


def _autumn(dice: Dice, n: int, name: str) -> Enrolment:
    start = OPENING + timedelta(days=dice.between(6, 24))
    ending, end = "Completed", date(2026, 6, 28) + timedelta(days=dice.between(0, 10))
    if n % 8 == 5:
        ending, end = "Transferred", date(2026, 1, 5) + timedelta(days=dice.between(0, 9))
    elif n % 15 == 3:
        ending, end = "Withdrawn", date(2025, 12, 1) + timedelta(days=dice.between(0, 90))
    elif n == AHMED or dice.chance(0.15):
        ending, end = "", None
    program = list(PROGRAMS)[(n + 1) % len(PROGRAMS)]
    return Enrolment(f"reg_{401 + n}", f"stud_{401 + n}", name, program, start, ending, end)


def catalogue(dice: Dice) -> Iterator[Save]:
    for program, (name, price, moodle) in PROGRAMS.items():
        record = {"id": program, "Product_Name": name, "Program_Price": price}
        record |= {"MoodleID": moodle, "Status": "Active"}
        yield Save("programs", record, dice.time_on(OPENING))
    for unit, program, n in units():
        name, level, hours = UNITS[program][n]
        record = {
            "id": unit,
            "Unit_Code": f"{PREFIXES[program]}-{level[1]}{n + 1:02}",
            "Unit_Name": name,
            "Description": f"A unit of {PROGRAMS[program][0]}, assessed by coursework.",
            "Credit_Hours": hours,
            "Level": level,
            "Status": "Active",
        }
        yield Save("units", record, dice.time_on(OPENING))
        if n == 4:
            shorter = {**record, "Credit_Hours": 30}
            yield Save("units", shorter, dice.time_on(date(2025, 10, 14)))


def units() -> Iterator[tuple[str, str, int]]:
    """Every unit: its id, its program, and which of the program's units it is, from 0."""
    places = [(program, n) for program in UNITS for n in range(len(UNITS[program]))]
    for number, (program, n) in enumerate(places, start=770):
        yield f"unit_{number}", program, n


def students(dice: Dice, enrolments: Sequence[Enrolment]) -> Iterator[Save]:
    for n, enrolment in enumerate(enrolments[:60]):
        record = {
            "id": enrolment.student,
            "Name": enrolment.name,
            "Academic_Email": email(enrolment.name),
            "Phone": None if n % 7 == 3 else f"+962 6 555 {100 if n == AHMED else 101 + n:04}",
            "Status": "Active",
        }
        yield Save("students", record, dice.time_on(enrolment.start - timedelta(days=dice.between(1, 5))))
        if enrolment.ending == "Withdrawn":
            yield Save("students", {**record, "Status": "Inactive"}, dice.time_on(enrolment.end))


def names(dice: Dice) -> list[str]:
    """60 people of several cultures, no two of one name."""
    found: dict[str, None] = {}
    while len(found) < 60:
        first, last = NAMES[len(found) % len(NAMES)]
        name = f"{dice.pick(first.split())} {dice.pick(last.split())}"
        found["Ahmed Mohamed" if len(found) == AHMED else name] = None
    return list(found)


def email(name: str) -> str:
    """Without the accents, which not every mail server takes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return f"{plain.lower().replace(' ', '.')}@college.example"


def registrations(dice: Dice, enrolments: Iterable[Enrolment]) -> Iterator[Save]:
    for enrolment in enrolments:
        record = {
            "id": enrolment.id,
            "Student": enrolment.lookup(),
            "Program": {"id": enrolment.program, "name": PROGRAMS[enrolment.program][0]},
            "Enrollment_Status": "Active",
            "Registration_Date": enrolment.start.isoformat(),
            "Completion_Date": None,
            "Version": 1,
        }
        yield Save("registrations", record, dice.time_on(enrolment.start))
        if enrolment.end:
            ended = {**record, "Enrollment_Status": enrolment.ending, "Version": 2}
            if enrolment.ending == "Completed":
                ended["Completion_Date"] = enrolment.end.isoformat()
            yield Save("registrations", ended, dice.time_on(enrolment.end))


def payments(dice: Dice, enrolments: Iterable[Enrolment]) -> Iterator[Save]:
    ids = (f"pay_{number}" for number in count(501))
    for n, enrolment in enumerate(enrolments):
        # Of Ahmed's six instalments of 500.00 the last is pay_123, which comes with the examples.
        parts = 6 if n == AHMED else PLANS[n % len(PLANS)]
        saves: list[Save] = []
        for record, day in _dues(dice, enrolment, parts)[:5]:
            saves += _pay(dice, record, day, ids)
        if saves and enrolment.ending == "Transferred":
            refunded = {**saves[-1].record, "Payment_Status": "Refunded"}
            saves.append(Save("payments", refunded, dice.time_on(enrolment.end + timedelta(days=12))))
        yield from saves


def _dues(dice: Dice, enrolment: Enrolment, parts: int) -> list[tuple[Record, date]]:
    """The payments that fall due while the student is there, and when."""
    dues = []
    for n, amount in enumerate(divide(PROGRAMS[enrolment.program][1], parts)):
        day = enrolment.start + timedelta(days=n * 156 // parts + dice.between(2, 6))
        record = {
            "Registration": {"id": enrolment.id, "name": zoho_name(enrolment.id)},
            "Amount": amount,
            "Payment_Date": day.isoformat(),
            "Payment_Method": dice.pick(METHODS),
            "Payment_Status": "Completed",
            "Description": "Course fees" if parts == 1 else f"Course fees, instalment {n + 1} of {parts}",
        }
        if enrolment.lasts_on(day):
            dues.append((record, day))
    return dues


def divide(price: float, parts: int) -> list[float]:
    """Amounts that differ by a hundredth at most and add up to the price."""
    hundredths, rest = divmod(round(price * 100), parts)
    return [(hundredths + (n < rest)) / 100 for n in range(parts)]


def _pay(dice: Dice, record: Record, day: date, ids: Iterator[str]) -> Iterator[Save]:
    """Most pay at once; for some the bank takes its days, or refuses first."""
    luck = dice.random()
    record = {"id": next(ids), **record}
    if luck < 0.05:
        failed = {**record, "Payment_Status": "Failed"}
        yield Save("payments", failed, dice.time_on(day))
        day += timedelta(days=7)
        record = {**record, "id": next(ids), "Payment_Date": day.isoformat()}
    elif luck < 0.3:
        yield Save("payments", {**record, "Payment_Status": "Pending"}, dice.time_on(day))
        if luck < 0.09:
            return
        day += timedelta(days=dice.between(2, 5))
    yield Save("payments", record, dice.time_on(day))


def grades(dice: Dice, enrolments: Iterable[Enrolment]) -> Iterator[Save]:
    ids = (f"grade_{number}" for number in count(1001))
    for number, enrolment in enumerate(enrolments):
        for unit, program, n in units():
            day = ASSESSED[n] + timedelta(days=dice.between(0, 9))
            if program != enrolment.program or not enrolment.lasts_on(day - timedelta(days=14)):
                continue
            # Some hand in nothing, and Ahmed's grade in this unit comes with the examples.
            if dice.chance(0.1) or (number == AHMED and unit == AHMEDS_NEXT_UNIT):
                continue
            unit_lookup = {"id": unit, "name": UNITS[program][n][0]}
            record = {"id": next(ids), "Student": enrolment.lookup(), "Unit": unit_lookup}
            yield from _assess(dice, record, day)


def _assess(dice: Dice, record: Record, day: date) -> Iterator[Save]:
    """A grade, and the better one after each resubmission of R."""
    graded = _graded(dice, record, dice.pick("PPPPPMMMDR"), day)
    yield graded
    while graded.record["Grade_Value"] == "R":
        day += timedelta(days=dice.between(18, 28))
        if day > CLOSING:
            return
        graded = _graded(dice, record, dice.pick("PPPMR"), day)
        graded.record["Comments"] = f"Resubmitted. {graded.record['Comments']}".strip()
        yield graded


def _graded(dice: Dice, record: Record, value: str, day: date) -> Save:
    low, high = SCORES[value]
    score = dice.between(low, high - 1) + dice.pick([0, 0, 0.5])
    given = {
        "Grade_Value": value,
        "Score": dice.pick([score, score, None]),
        "Grade_Date": day.isoformat(),
        "Comments": dice.pick(COMMENTS[value]),
    }
    return Save("grades", {**record, **given}, dice.time_on(day))
