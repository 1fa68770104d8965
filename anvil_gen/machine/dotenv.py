"""Values of the variables that Compose interpolates: the shell's, else those of the folder's ``.env``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from anvil_gen.values import Interpolation, interpolations, split_compose_text

FILE = ".env"
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>[^\r\n]*))""",
    re.M | re.X,
)
_COMMENT = re.compile(r"(?:^|\s)#.*")


def variables(folder: Path, shell: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values that Compose has in a folder: the shell's (this process's, if None) before those of ``.env``.

    A ``.env`` that cannot be read has none: the check for a missing variable reports that.
    """
    try:
        # A device may have no end; a pipe is what some keepers of secrets put there.
        is_device = (folder / FILE).is_char_device()
        text = "" if is_device else (folder / FILE).read_text("utf-8", errors="replace")
    except OSError:
        text = ""
    return {**dict(_assignments(text)), **(os.environ if shell is None else shell)}


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for match in _LINE.finditer(text):
        quoted = match["single"] if match["single"] is not None else match["double"]
        yield match["name"], quoted if quoted is not None else _COMMENT.sub("", match["plain"]).strip()


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """Return a text of a compose file with its variables interpolated; those that are not set are empty."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in split_compose_text(text))


def _value(variable: Interpolation, values: Mapping[str, str]) -> str:
    value = values.get(variable.name)
    is_set = value is not None and (value != "" or not variable.operator.startswith(":"))
    if variable.operator.endswith("+"):
        return variable.word if is_set else ""
    return variable.word if variable.has_default and not is_set else value or ""


def references(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the names of the variables in a text, and whether Compose refuses the file if one is not set.

    Those with a default are left out.
    """
    for variable in interpolations(text):
        if not variable.operator.endswith(("-", "+")):
            yield variable.name, variable.operator.endswith("?")
