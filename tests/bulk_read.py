"""Files as Zoho's Bulk Read exports them, and manage.py import_records run on them."""

import re
import zipfile
from io import StringIO
from pathlib import Path

from django.core.management import CommandError, call_command

STUDENTS = "id,Name,Academic_Email,Phone,Status\n"
PAYMENTS = "id,Registration,Amount,Payment_Status,Payment_Date,Payment_Method,Description\n"


def import_records(
    folder: Path,
    module: str,
    content: str | bytes,
    *arguments: str,
    name: str = "export.csv",
    tenant: str = "default",
    more: dict[str, str | bytes] | None = None,
) -> tuple[int, str]:
    """The command on files of this content, put into the folder; its exit status and what it printed."""
    contents = {name: content, **(more or {})}
    for name, content in contents.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    files = [str(folder / name) for name in contents]
    output = StringIO()
    try:
        call_command("import_records", module, *files, "--tenant", tenant, *arguments, stdout=output)
    except SystemExit as end:
        return end.code, output.getvalue()
    except CommandError as error:
        return error.returncode, output.getvalue() + str(error)
    return 0, output.getvalue()


def zipped(folder: Path, members: dict[str, str | bytes]) -> bytes:
    file = folder / "made.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.read_bytes()


def counts(output: str) -> dict[str, int]:
    rows = re.findall(r"^  (\w+) +([0-9,]+)(?:  \D.*)?$", output, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in rows if number != "0"}
