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
