"""Prose names what is there: modules, templates, tests and scripts that documents name in code exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import REPOSITORY

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").glob("*/README.md")),
]
SHELL_SCRIPTS = ["demo", "first_run", "render", "test", "with-engine"]
FOLDERS = "anvil_gen|templates|tests|scripts|benchmarks"
"""Folders of this repository that no user's repository is told to have, but for `templates/`."""

SPAN = re.compile(r"`([^`]+)`")
IN_REPOSITORY = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./<>-]*[\w/>]")
MODULE_FILE = re.compile(r"(?<![\w./>-])(?!/)[\w/]+\.py\b")
DOTTED = re.compile(r"(?<![\w./-])anvil_gen(?:\.\w+)+")
TEMPLATE = re.compile(r"(?<![\w./-])[\w./<>-]+\.j2\b")
INSIDE = re.compile(r"`([\w/]+\.py)` \(`(\w+)`\)")
"""A module with a name that it defines: `resolve/checks.py` (`check_stack`)."""
PLACEHOLDER = re.compile(r"<[^>]+>|\b[A-Z]{2,}\b")
"""`<name>` or `NAME`: a part of a path that the reader fills in."""


def code_of(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield the code of a page with its line: the spans, and whole lines of drawings and listings."""
    fenced = False
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield number, line, True
        else:
            yield from ((number, span, False) for span in SPAN.findall(line))


def missing_names(text: str) -> list[tuple[int, str]]:
    """Return the names in a page's code that lead nowhere, with their lines."""
    missing = []
    for number, code, fenced in code_of(text):
        # A listing may show a fleet, which has templates of its own.
        names = [] if fenced else [*IN_REPOSITORY.findall(code), *TEMPLATE.findall(code)]
        names += [*DOTTED.findall(code)]
        # A log line that is quoted in a span names files of its own.
        names += [name for name in MODULE_FILE.findall(code) if fenced or "/" in name or name == code]
        missing += [(number, name) for name in dict.fromkeys(names) if not exists(name)]
    for number, line in enumerate(text.split("\n"), start=1):
        missing += [
            (number, f"{module} ({name})") for module, name in INSIDE.findall(line) if not defines(module, name)
        ]
    return missing


def exists(name: str) -> bool:
    """Tell whether a name leads to a file or folder, from the repository, the package or the templates."""
    if name.startswith("anvil_gen."):
        path = name.replace(".", "/")
        return any((REPOSITORY / found).exists() for found in (path, f"{path}.py"))
    pattern = PLACEHOLDER.sub("*", name).rstrip("/")
    if name.endswith(".j2"):
        pattern = pattern.removeprefix("templates/")
        return any((REPOSITORY / "templates").rglob(pattern))
    return any(any(root.glob(pattern)) for root in (REPOSITORY, REPOSITORY / "anvil_gen"))


def defines(module: str, name: str) -> bool:
    """Tell whether a module of the package has a definition of that name at its top level."""
    path = REPOSITORY / "anvil_gen" / module
    definition = re.compile(rf"^(?:def |class )?{name}\b", re.MULTILINE)
    return path.is_file() and definition.search(path.read_text("utf-8")) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_what_a_page_names_is_there(page: Path) -> None:
    path = page.relative_to(REPOSITORY).as_posix()
    missing = [f"{path}:{number}: there is no {name}" for number, name in missing_names(page.read_text("utf-8"))]

    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`anvil_gen/resolve/checks.py` and `resolve/checks.py`", []),
        ("`values.py`, `anvil_gen.operate`, `anvil_gen.operate.drift`", []),
        ("`templates/defaults.toml`, `compose/tier.yml.j2`, `templates/clients/KIND.SUFFIX.j2`", []),
        ("`templates/engines/<name>/engine.toml`, `engines/<name>/service.yml.j2`, `scripts/test -k quoting`", []),
        ("a line\n`anvil_gen/checks.py`", [(2, "anvil_gen/checks.py")]),
        ("`checks.py` alone has no room", [(1, "checks.py")]),
        ("`resolve/gone.py`, `anvil_gen/commands/`", [(1, "anvil_gen/commands/"), (1, "resolve/gone.py")]),
        ("`anvil_gen.operate.gone`", [(1, "anvil_gen.operate.gone")]),
        ("`templates/gone.toml`, `compose/gone.yml.j2`", [(1, "templates/gone.toml"), (1, "compose/gone.yml.j2")]),
        ("`tests/test_gone.py`", [(1, "tests/test_gone.py")]),
        ("`resolve/checks.py` (`check_stack`)", []),
        ("`resolve/checks.py` (`gone`)", [(1, "resolve/checks.py (gone)")]),
        ("```\nTOML -> document.py\n```", [(2, "document.py")]),
        ("`api_server.py: error: unrecognized arguments`", []),
        ("prose about gone.py, and `hosts/box.toml`, `/srv/app.py`", []),
    ],
)
def test_a_stale_name_is_found(text: str, missing: list[tuple[int, str]]) -> None:
    assert sorted(missing_names(text)) == sorted(missing)


@pytest.mark.parametrize("path", ["Makefile", *(f"scripts/{name}" for name in SHELL_SCRIPTS)])
def test_a_script_gives_setup_options_that_it_has(path: str) -> None:
    usage = re.search(r"usage: scripts/setup (.*)\"", (REPOSITORY / "scripts" / "setup").read_text("utf-8"))
    given = re.findall(r"scripts/setup\"? (--[\w-]+)", (REPOSITORY / path).read_text("utf-8"))

    assert usage is not None
    assert set(given) <= set(re.findall(r"--[\w-]+", usage[1]))
