"""Commands of a shell as people keep them: continued lines, comments between, variables that a line before sets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from anvil_gen.importing.shell_words import Word, closing_brace
from anvil_gen.patterns import lazy_pattern

_ASSIGNED = lazy_pattern(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>\S*|\"[^\"]*\"|'[^']*')\s*")
_HERE = lazy_pattern(r"\$\(pwd\)|`pwd`|\$\{?PWD\}?(?!\w)", re.IGNORECASE)
_ENDS = ";&|<>\n"


class Line(Struct, frozen=True, kw_only=True):
    """A command with the line that it starts on; ``rest`` is what follows it on its line, and is no part of it."""

    words: tuple[Word, ...]
    number: int
    rest: str = ""


def command_lines(text: str) -> Iterator[Line]:
    """Yield the commands of a text, each with its words as texts of a compose file."""
    known: dict[str, str] = {}
    for number, line in _joined(text):
        rest = line.strip().removeprefix("$ ").removeprefix("> ").strip()
        while rest:
            assigned = _ASSIGNED.match(rest)
            if assigned is not None and (assigned.end() == len(rest) or rest[assigned.end()] in "&;"):
                known[assigned["name"]] = assigned["value"].strip("'\"")
                rest = rest[assigned.end() :].lstrip("&; ")
                continue
            splitter = _Splitter(rest, known)
            words, rest = splitter.words()
            if words:
                yield Line(words=tuple(words), number=number, rest=rest.strip("&;| "))
            rest = rest.lstrip("&;| ") if rest[:1] in "&;" else ""


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text, continued ones as one, without comments."""
    waiting, start = "", 0
    for number, written in enumerate(text.splitlines(), 1):
        line = written.strip()
        if line.startswith("#") or (not line and waiting):
            continue
        start = start or number
        if re.search(r"(?:(?<!\\)\\|\s[`^])$", line):
            waiting += re.sub(r"[\\`^]$", "", line) + " "
            continue
        whole = waiting + line
        if _open_quote(whole):
            waiting = whole + "\n"
            continue
        yield start, whole
        waiting, start = "", 0
    if waiting.strip():
        yield start, waiting


def _open_quote(line: str) -> bool:
    quote, escaped = "", False
    for char in line:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
    return bool(quote)


class _Splitter:
    """Splits as a shell does; texts of a compose file come out: a literal `$` doubled, a variable with its default."""

    def __init__(self, line: str, known: dict[str, str]) -> None:
        self._line, self._known, self._at = line, known, 0
        self._word, self._open, self._bare, self._quote = "", False, False, ""
        self._found: list[Word] = []

    def words(self) -> tuple[list[Word], str]:
        while self._at < len(self._line):
            here = _HERE.match(self._line, self._at) if self._quote != "'" else None
            char = self._line[self._at]
            if here is not None:
                self._at = here.end()
                self._add(".")
            elif not self._quote and (char in _ENDS or (char == "#" and not self._open)):
                break
            else:
                self._at += 1
                self._take(char)
        self._end()
        return self._found, "" if self._line[self._at : self._at + 1] == "#" else self._line[self._at :]

    def _take(self, char: str) -> None:
        """Take a character, with what belongs to it."""
        if self._quote == "'" and char != "'":
            self._add("$$" if char == "$" else char)
        elif char == "\\":
            self._escaped(self._quote)
        elif char == "$":
            self._variable(quoted=bool(self._quote))
        elif char == self._quote:
            self._quote = ""
        elif not self._quote and char in "'\"":
            self._quote, self._open = char, True
        elif not self._quote and char.isspace():
            self._end()
        else:
            self._add(char)

    def _escaped(self, quote: str) -> None:
        following = self._line[self._at : self._at + 1]
        self._at += 1
        kept = "\\" if quote == '"' and following not in '$`"\\\n' else ""
        self._add(kept + ("$$" if following == "$" else following))

    def _variable(self, *, quoted: bool) -> None:
        rest = self._line[self._at :]
        name = re.match(r"[A-Za-z_]\w*", rest)
        if rest.startswith("{"):
            end = closing_brace(self._line, self._at)
            self._add(self._with_default("$" + self._line[self._at : end]))
            self._at = end
        elif name is not None:
            self._at += name.end()
            self._add(self._with_default(f"${{{name[0]}}}"))
        else:
            self._add("$$")
            return
        self._bare = self._bare or not quoted

    def _with_default(self, text: str) -> str:
        """Return a variable with the value that a line before has set."""
        match = re.fullmatch(r"\$\{(\w+)\}", text)
        value = self._known.get(match[1]) if match is not None else None
        value = _HERE.sub(".", value) if value is not None else None
        return f"${{{match[1]}:-{value}}}" if match is not None and value and not re.search("[${}]", value) else text

    def _add(self, text: str) -> None:
        self._word, self._open = self._word + text, True

    def _end(self) -> None:
        if self._open:
            self._found.append(Word(text=self._word, bare=self._bare))
        self._word, self._open, self._bare = "", False, False
