"""What the admin's exports hold, read as a spreadsheet would."""

import csv
import io
import zipfile

import openpyxl

from tests.admin import url


def content(response) -> bytes:
    assert response.status_code == 200, response
    return response.getvalue()


def csv_rows(client, model, **query) -> list[dict[str, str]]:
    exported = content(client.get(url(model, "export", "csv"), query))
    return list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"), newline="")))


def xlsx_rows(client, model, **query) -> list[dict]:
    exported = content(client.get(url(model, "export", "xlsx"), query))
    titles, *rows = openpyxl.load_workbook(io.BytesIO(exported)).active.iter_rows()
    return [dict(zip((cell.value for cell in titles), row, strict=True)) for row in rows]


def sheet_of(client, model) -> str:
    exported = content(client.get(url(model, "export", "xlsx")))
    return zipfile.ZipFile(io.BytesIO(exported)).read("xl/worksheets/sheet1.xml").decode()
