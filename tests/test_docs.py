"""What the documentation says is there: links, error codes, environment variables, commands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from btec_sync import fields, problems, serializers, services

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ANSWERS = ROOT / "docs/answers.md"
RECIPE = ROOT / "docs/how-to-add-a-module.md"
PAGES = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def text_of(page: Path) -> str:
    """A page without its blocks of code, in which nothing is a link."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def column(page: Path, *names: str) -> list[tuple[str, ...]]:
    """The cells in these columns of every table of the page that has them all, without their backticks."""
    found, places = [], None
    for line in page.read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            places = None
        elif places is None:
            places = [cells.index(name) for name in names] if set(names) <= set(cells) else []
        elif places and not line.startswith("| ---"):
            found.append(tuple(cells[place] for place in places))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text_of(page))

    for path, anchor in links:
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} is not there"
        assert not anchor or anchor in anchors(target), f"{path} has no heading #{anchor}"


# --- Codes -------------------------------------------------------------------------------------------


def subclasses(of: type) -> Iterator[type]:
    """Those of the service; tests have some of their own."""
    for kind in of.__subclasses__():
        if kind.__module__.startswith("btec_sync."):
            yield kind
        yield from subclasses(kind)


def record_codes() -> set[str]:
    """Every code that a record's errors can have."""
    kinds = [fields.StrictField, *subclasses(fields.StrictField)]
    codes = {code for kind in kinds for code in vars(kind).get("default_error_messages", {})}
    codes |= {detail.code for details in fields.unexpected_fields(["x"]).values() for detail in details}
    for module in (serializers, services):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "FieldError":
                codes |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    return codes


def problem_codes() -> set[str]:
    """Every code that a refused request can have."""
    own = {kind.code for kind in subclasses(problems.Problem) if hasattr(kind, "code")}
    return own | {problems.refusal(status).code for status in [*problems.REFUSALS, 418, 500]}


def test_every_code_is_explained_and_no_others():
    explained = [code for (code,) in column(ANSWERS, "code")]

    assert sorted(explained) == sorted(record_codes() | problem_codes())


def test_every_status_stands_beside_its_code():
    rows = set(column(ANSWERS, "status", "code"))

    own = {kind for kind in subclasses(problems.Problem) if hasattr(kind, "code")}
    refusals = {(str(status), code) for status, (code, _) in problems.REFUSALS.items()}
    assert rows >= refusals | {(str(kind.status_code), kind.code) for kind in own}


# --- Environment variables and commands --------------------------------------------------------------


def variables_read() -> set[str]:
    """The names of all environment variables that the service asks for."""
    folders = ("config", "btec_sync", "deploy")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    texts = (
        argument.value
        for call in calls
        if isinstance(call, ast.Call)
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )
    return {text for text in texts if re.fullmatch("(DJANGO|BTEC|DATABASE)_[A-Z_]+", text)}


def test_every_environment_variable_is_in_the_readme_and_no_others():
    told = [name for (name,) in column(README, "variable")]

    # The other is Django's own, and is set for it.
    assert sorted(told) == sorted(variables_read() - {"DJANGO_SETTINGS_MODULE"})


def test_every_command_is_in_the_readme_and_no_others():
    ours = {name for name, app in get_commands().items() if app == "btec_sync"}

    told = {command.split()[0] for (command,) in column(README, "command")}

    assert told == ours


# --- The recipe --------------------------------------------------------------------------------------


def edits() -> Iterator[tuple[str, str]]:
    """Each file that the recipe changes, with the lines that it changes as they are before."""
    file = ""
    for name, diff in re.findall(r"^`([\w/.]+)`|^```diff\n(.*?)^```$", RECIPE.read_text(), re.M | re.S):
        file = name or file
        if diff:
            yield file, "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] != "+")


EDITS = list(edits())


@pytest.mark.parametrize(("file", "before"), EDITS, ids=[file for file, _ in EDITS])
def test_what_the_recipe_changes_is_there_once(file, before):
    assert (ROOT / file).read_text().count(before) == 1
