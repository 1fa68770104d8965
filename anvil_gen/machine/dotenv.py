"""Values of the variables that Compose interpolates: the shell's, else those of the folder's ``.env``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FILE = ".env"
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>[^\r\n]*))""",
    re.M | re.X,
)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<word>[^}]*))?\})"
)


def variables(folder: Path, shell: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values that Compose has in a folder: the shell's (this process's, if None) before those of ``.env``.

    A ``.env`` that cannot be read has none: the check for a missing variable reports that.
    """
    try:
        text = (folder / FILE).read_text("utf-8", errors="replace")
    except OSError:
        text = ""
    return {**dict(_assignments(text)), **(os.environ if shell is None else shell)}


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for match in _LINE.finditer(text):
        quoted = match["single"] if match["single"] is not None else match["double"]
        yield match["name"], quoted if quoted is not None else _COMMENT.sub("", match["plain"]).strip()


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """Return a text of a compose file with its variables interpolated; those that are not set are empty."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name, how, word = match["name"] or match["bare"], match["how"] or "", match["word"] or ""
        is_set = name in values and (values[name] != "" or not how.startswith(":"))
        if how.endswith("+"):
            return word if is_set else ""
        return values.get(name, "") if is_set or not how.endswith("-") else word

    return _REFERENCE.sub(value, text)


def references(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the names of the variables in a text, and whether Compose refuses the file if one is not set.

    Those with a default are left out.
    """
    for match in _REFERENCE.finditer(text):
        how = match["how"] or ""
        if not match["dollar"] and not how.endswith(("-", "+")):
            yield match["name"] or match["bare"], how.endswith("?")
