"""Rows as a file for a spreadsheet: CSV as a stream, XLSX through a file on disk; never all in memory.

What records hold was sent by somebody, and must stay text there: a spreadsheet takes what begins with = or +
for a formula and runs it. In CSV such a text gets an apostrophe before it; in XLSX it is marked as text.
"""

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import IO, Any

from django.db import models
from django.utils import timezone

from .models import SyncedRecord

#: What a column's cells are made of, by the column's title.
Columns = Mapping[str, Callable[[Any], Any]]

ROWS_IN_A_CHUNK = 500
# With it, spreadsheets know the file for UTF-8.
BOM = "\ufeff"
# Where a cell may begin: with the text, and behind what another country's spreadsheet takes for the end of a
# cell, a semicolon, a tab or a line end. Blanks and quotation marks before the formula do not help: such a
# spreadsheet meets our quotation marks in the middle of a cell, and takes off those that begin the next.
# Harmless are numbers, as we make them; what stands behind a comma, since who splits there reads our
# quotation marks as they are meant; and a tab or a line end inside: what stands behind it has its own turn.
FORMULA = re.compile(r'(^|[;\t\r\n])(?=(?:[^\S\t\r\n]|")*[=+\-@\uff1d\uff0b\uff0d\uff20])')
LEADING_CONTROL = re.compile(r"^[\t\r\n]")
# Before it, Excel's calendar has no days, or has them wrong: there its year 1900 has a 29 February.
FIRST_DAY = (1900, 3, 1)
# A spreadsheet keeps 15 digits of a number and 32,767 characters of a text.
LARGEST_NUMBER = 10**15
LONGEST_CELL = 32_767
WIDTH = 18
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# --- Columns -----------------------------------------------------------------------------------------


def field_columns(model: type[models.Model], names: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """A column for each of these fields; two for a parent, its Zoho id and what it is called."""
    columns: dict[str, Callable[[Any], Any]] = {}
    for name in names:
        field = model._meta.get_field(name)
        title = str(field.verbose_name)
        if field.is_relation and issubclass(field.related_model, SyncedRecord):
            columns[f"{title} id"] = _parent_id(name)
        columns[timed(title) if isinstance(field, models.DateTimeField) else title] = _value(name)
    return columns


def timed(title: str) -> str:
    """The title of a column of times: a spreadsheet knows no zones."""
    return f"{title} ({timezone.get_current_timezone_name()})"


def _value(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _parent_id(name: str) -> Callable[[Any], Any]:
    return lambda row: parent.zoho_id if (parent := getattr(row, name)) else None


# --- Cells -------------------------------------------------------------------------------------------


def plain(value: Any) -> str | int | Decimal | date | datetime | None:
    """A value as a spreadsheet has it: times in the local zone to the second, all that is no number text."""
    if isinstance(value, datetime):
        return timezone.make_naive(value).replace(microsecond=0)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        return str(value)
    if value is None or isinstance(value, str | int | Decimal | date):
        return value
    return str(value)


def csv_cell(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    harmless = FORMULA.sub(r"\1'", value)
    return f"'{harmless}" if LEADING_CONTROL.match(harmless) else harmless


# --- Files -------------------------------------------------------------------------------------------


def as_csv(columns: Columns, rows: Iterable[Any]) -> Iterator[bytes]:
    """The file in pieces. Raises, in the middle of it, what the database raises."""
    rows = iter(rows)
    yield (BOM + _csv_lines([map(csv_cell, columns)])).encode()
    while chunk := list(islice(rows, ROWS_IN_A_CHUNK)):
        yield _csv_lines((csv_cell(cell(row)) for cell in columns.values()) for row in chunk).encode()


def _csv_lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def as_xlsx(columns: Columns, rows: Iterable[Any]) -> IO[bytes]:
    """The whole file, open at its beginning; it is gone once it is closed."""
    from openpyxl import Workbook  # large, and few ask for it
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Export")
    sheet.freeze_panes = "A2"
    for number in range(1, len(columns) + 1):
        sheet.column_dimensions[get_column_letter(number)].width = WIDTH
    sheet.append(_xlsx_row(sheet, columns))
    for row in rows:
        sheet.append(_xlsx_row(sheet, (cell(row) for cell in columns.values())))
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
    book.save(file)
    file.seek(0)
    return file


def _xlsx_row(sheet: Any, values: Iterable[Any]) -> Sequence[Any]:
    from openpyxl.cell import WriteOnlyCell

    cells = []
    for value in map(plain, values):
        if isinstance(value, date) and (value.year, value.month, value.day) < FIRST_DAY:
            value = str(value)
        if isinstance(value, str):
            value = NOT_IN_XML.sub("\ufffd", value)
            value = value if len(value) <= LONGEST_CELL else f"{value[: LONGEST_CELL - 1]}…"
        if isinstance(value, Decimal):
            value = WriteOnlyCell(sheet, value)
            value.number_format = "0.00"
        elif isinstance(value, str) and (FORMULA.match(value) or value.startswith("#")):
            value = WriteOnlyCell(sheet, value)
            value.data_type = "s"
            value.quotePrefix = True  # stays text when somebody edits the cell
        cells.append(value)
    return cells
