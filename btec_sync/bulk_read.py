"""Reading what Zoho exports: the CSV of a Bulk Read job, the ZIP that it comes in, and JSON lines.

Streamed: one record is in memory at a time, and everything is bounded before it can cost anything. What
comes out are records as JSON text, as a sender would write them.
https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/download-result.html
"""

import csv
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from . import fields, wire
from .serializers import RecordSerializer, is_system_field

PIECE = 1024 * 1024
#: A number as JSON spells it.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
BOM = b"\xef\xbb\xbf"
MOST_NAMED = 10


class WrongFile(ValueError):
    """The file cannot be read as what it should be; the message says where and what to mend."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line:,}: {message}" if line else message)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong meanwhile is wrong in this file, and says so."""
    try:
        yield
    except WrongFile as error:
        raise WrongFile(f"{path}: {error}") from error


class Export:
    """A file of a module's records. `size` is that of its content, `read` how far we are.

    `missing` are the module's fields that a CSV has no column for, and that nobody wants to be empty. Of a
    record no more is read than a request may bring, what is left out of it included.
    """

    def __init__(self, path: Path, stream: IO[bytes], size: int, *, is_csv: bool, most_bytes: int) -> None:
        self.path = path
        self.stream = stream
        self.size = size
        self.is_csv = is_csv
        self.most_bytes = most_bytes
        self.most_of_record = settings.BTEC_MAX_BODY_BYTES
        self.read = 0
        self.line = 0
        self.missing: list[str] = []
        self._next_record()

    def begin(self, serializer: type[RecordSerializer], *, ignore_unknown: bool, empty_missing: bool) -> None:
        """Reads the header, where there is one. Raises WrongFile."""
        if not self.is_csv:
            return
        self._rows = self._read_rows()
        _, header = next(self._rows, (0, []))
        if not header:
            raise WrongFile("the file is empty; expected a header with the fields' API names.")
        if len(header) == 1 and ";" in header[0]:
            raise WrongFile(
                "semicolons stand between the columns; expected commas, as Bulk Read writes them."
            )
        self._columns = _columns(header, serializer, ignore_unknown=ignore_unknown)
        found = {column[0] for column in self._columns if column}
        self.missing = [name for name in serializer.data_fields() if name not in found]
        if empty_missing:
            if required := [name for name in self.missing if serializer._declared_fields[name].required]:
                raise WrongFile(f"the header has no {_named(required)}, and no record can be without.")
            self.missing = []

    def refuse_missing(self) -> None:
        """Raises WrongFile where a CSV lacks a field: an import would empty what is stored of it."""
        if self.missing:
            raise WrongFile(
                f"the header has no {_named(self.missing)}. Have the Bulk Read job export all fields of the "
                "module, or take what is missing as empty on purpose: --empty-missing."
            )

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Each record's first line and its JSON text. Raises WrongFile at the first line that is none."""
        return self._from_csv() if self.is_csv else self._from_json()

    def _from_json(self) -> Iterator[tuple[int, bytes]]:
        for line in self._lines():
            self._next_record()
            text = line.strip()
            if not text:
                continue
            try:
                record = wire.loads(text)
            except wire.NotJSON as error:
                raise WrongFile(str(error).replace("The body", "the line"), self.line) from error
            if not isinstance(record, dict):
                raise WrongFile("expected one JSON object on each line.", self.line)
            yield self.line, text

    def _from_csv(self) -> Iterator[tuple[int, bytes]]:
        for number, row in self._rows:
            if len(row) != len(self._columns):
                raise WrongFile(f"{len(row)} cells, where the header has {len(self._columns)}.", number)
            yield number, _record(self._columns, row)

    def _read_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with its first line. A cell may hold line ends, so a row may be of many lines."""
        csv.field_size_limit(self.most_of_record)
        rows = csv.reader(self._decoded(), strict=True)
        while True:
            self._next_record()
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise WrongFile(f"not CSV: {error}.", self.begins) from error
            if row:
                yield self.begins, row

    def _decoded(self) -> Iterator[str]:
        for line in self._lines():
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise WrongFile("not UTF-8.", self.line) from error
            if "\0" in text:
                raise WrongFile("holds a NUL character.", self.line)
            yield text

    def _next_record(self) -> None:
        self.begins = self.line + 1
        self.of_record = 0

    def _lines(self) -> Iterator[bytes]:
        """The lines, those of a record not too long and all of them not too many bytes. Raises WrongFile."""
        while line := self._line():
            self.line += 1
            self.read += len(line)
            self.of_record += len(line)
            if self.read > self.most_bytes:
                raise WrongFile(
                    f"the content is larger than {self.most_bytes:,} bytes (--max-bytes).", self.line
                )
            if self.of_record > self.most_of_record:
                raise WrongFile(
                    f"longer than {self.most_of_record:,} bytes (BTEC_MAX_BODY_BYTES).", self.begins
                )
            yield line.removeprefix(BOM) if self.line == 1 else line

    def _line(self) -> bytes:
        """The next line, or one byte more of it than the record may have."""
        try:
            return self.stream.readline(self.most_of_record - self.of_record + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise WrongFile("the file cannot be read from here on.", self.line + 1) from error


@contextmanager
def opened(
    path: Path,
    serializer: type[RecordSerializer],
    *,
    ignore_unknown: bool,
    empty_missing: bool = False,
    most_bytes: int,
) -> Iterator[Export]:
    """The export in a file: .csv, .jsonl or .ndjson, or a .zip with one of these in it.

    Its header is read. Raises WrongFile.
    """
    with ExitStack() as stack:
        with naming(path):
            export = _open(path, stack, most_bytes)
            export.begin(serializer, ignore_unknown=ignore_unknown, empty_missing=empty_missing)
        yield export


def _open(path: Path, stack: ExitStack, most_bytes: int) -> Export:
    try:
        file = stack.enter_context(path.open("rb"))
        if path.suffix.lower() != ".zip":
            is_csv = _is_csv(path.name)
            return Export(path, file, path.stat().st_size, is_csv=is_csv, most_bytes=most_bytes)
        archive = stack.enter_context(zipfile.ZipFile(file))
        member = _only_member(archive)
        is_csv = _is_csv(member.filename)
        size = _unpacked_size(archive, member, most_bytes)
        stream = stack.enter_context(archive.open(member))
        return Export(path, stream, size, is_csv=is_csv, most_bytes=most_bytes)
    except zipfile.BadZipFile as error:
        raise WrongFile("not a ZIP file, or a damaged one.") from error
    except (NotImplementedError, RuntimeError) as error:
        raise WrongFile("the archive is encrypted, or packed in a way that cannot be read.") from error
    except OSError as error:
        raise WrongFile(f"cannot be read: {error.strerror}.") from error


def _unpacked_size(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> int:
    """The size as it is unpacked, whatever the archive says of it. Raises WrongFile for a damaged one.

    The checksum comes at the end, and nothing is to be imported that it does not cover.
    """
    size = 0
    try:
        with archive.open(member) as stream:
            while part := stream.read(PIECE):
                size += len(part)
                if size > most_bytes:
                    raise WrongFile(f"the content is larger than {most_bytes:,} bytes (--max-bytes).")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WrongFile("the archive is damaged.") from error
    return size


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1:
        raise WrongFile(f"the archive holds {len(members):,} files; expected one.")
    return members[0]


def _is_csv(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson"):
        raise WrongFile(
            f"expected .csv, .jsonl or .ndjson, or one of them in a .zip, not {suffix or 'none'}."
        )
    return suffix == ".csv"


# --- A CSV's columns ---------------------------------------------------------------------------------

#: A cell as JSON text; None where it is empty.
Convert = Callable[[str], str | None]


def _record(columns: list[tuple[str, Convert] | None], row: list[str]) -> bytes:
    cells = zip(columns, row, strict=True)
    members = (
        f"{json.dumps(column[0])}: {text}"
        for column, cell in cells
        if column and (text := column[1](cell)) is not None
    )
    return "{{{}}}".format(", ".join(members)).encode()


def _columns(
    header: list[str], serializer: type[RecordSerializer], *, ignore_unknown: bool
) -> list[tuple[str, Convert] | None]:
    """What each column becomes: the record's key and how a cell is written, or None for one left out."""
    if twice := [name for name, times in Counter(header).items() if times > 1]:
        raise WrongFile(f"twice in the header: {_named(twice)}.")
    declared = serializer().fields
    if "id" not in header:
        raise WrongFile("the header has no id.")
    found, unknown = [], []
    for name in header:
        key, _, part = name.partition(".")
        field = declared.get(key)
        if isinstance(field, fields.Lookup):
            # A bare lookup column holds the id, unless that has a column of its own.
            wanted = part == "id" or (not part and f"{key}.id" not in header)
            found.append((key, _lookup) if wanted else None)
        elif field and not part:
            found.append((key, _number if _takes_numbers(field) else _text))
        else:
            found.append(None)
            if not is_system_field(key):
                unknown.append(name)
    if unknown and not ignore_unknown:
        known = {column[0] for column in found if column}
        lacking = [name for name, field in declared.items() if field.required and name not in known]
        also = f" And there is no {_named(lacking)}, which every record needs: misspelled?" if lacking else ""
        raise WrongFile(
            f"no fields of this module: {_named(unknown)}. Leave them out of the Bulk Read job's fields, or "
            f"set the tenant's unknown fields to ignore.{also}"
        )
    return found


def _named(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
    return ", ".join(wire.printable(name) for name in shown[:MOST_NAMED]) + more


def _takes_numbers(field: Any) -> bool:
    return str not in field.json_types


def _text(cell: str) -> str | None:
    return json.dumps(cell, ensure_ascii=False) if cell else None


def _number(cell: str) -> str | None:
    """A number as it is spelled, digit for digit. Anything else stays text, and the record is INVALID."""
    return cell if NUMBER.fullmatch(cell) else _text(cell)


def _lookup(cell: str) -> str | None:
    return f'{{"id": {json.dumps(cell)}}}' if cell else None
