"""Deluge as far as docs/zoho.md uses it: its types, and its functions in Python."""

import json
import re


class Map(dict):
    """Deluge's, as far as the page uses it."""

    put = dict.__setitem__
    containKey = dict.__contains__

    def toString(self) -> str:
        return json.dumps(self, ensure_ascii=False)


class List(list):
    add = list.append

    def size(self) -> int:
        return len(self)


def python(deluge: str) -> str:
    """The functions in Python. Line by line: the page writes a brace or a statement on each."""
    lines, depth = [], 0
    deluge = re.sub(r"invokeurl\s*\[(.*?)\];", invocation, deluge, flags=re.DOTALL)
    for line in deluge.splitlines():
        statement = line.strip().removesuffix(";")
        if statement in ("{", "}"):
            depth += 1 if statement == "{" else -1
        elif statement:
            lines.append("    " * depth + translated(statement))
    return "\n".join(lines)


def invocation(match: re.Match) -> str:
    """invokeurl's block of `name: value` lines as a call."""
    parts = [line.strip().split(": ", 1) for line in match[1].strip().splitlines()]
    return f"invokeurl({', '.join(f'{name}={value}' for name, value in parts)});"


def translated(statement: str) -> str:
    for pattern, replacement in (
        (r"^(?:string|list|void) (\w+)\.(\w+)\((.*)\)$", lambda m: f"def {m[1]}_{m[2]}({names(m[3])}):"),
        (r"\{([^{}:]+)\}", r"List([\1])"),
        (r"^for each (\w+) in (.*)$", r"for \1 in \2:"),
        (r"^if\((.*)\)$", r"if \1:"),
        (r"^else$", "else:"),
        (r"^info (.*)$", r"info(\1)"),
    ):
        statement = re.sub(pattern, replacement, statement)
    return re.sub(r"\b(standalone|automation|schedule)\.(\w+)", r"\1_\2", statement)


def names(arguments: str) -> str:
    """The arguments of a function without their types."""
    return re.sub(r"\w+ (\w+)", r"\1", arguments)
