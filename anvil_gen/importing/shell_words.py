"""Commands in one text, split as Compose splits them: by a shell's quotes, after the variables are put in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from anvil_gen.importing.texts import has_variable, plain
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import interpolations

_ENDS = ";&|<>"
"""Outside of quotes, Compose drops what follows one of these."""
_PLAIN = lazy_pattern(r"[^\\$'\"\s;&|<>]+")
_BRACES = lazy_pattern("[{}]")


class Word(Struct, frozen=True, kw_only=True):
    """An argument as a text of a compose file; ``bare``: a variable in it is outside of quotes."""

    text: str
    bare: bool = False

    @property
    def may_vanish(self) -> bool:
        """Whether it is not one argument whatever the variable is: none, or several."""
        if not self.bare or not has_variable(self.text):
            return False
        value = plain(self.text)
        if not value:
            return not any(variable.operator.endswith("?") for variable in interpolations(self.text))
        return len(value.split()) > 1 or value != value.strip()


def words_of(command: Any) -> list[Word] | None:
    """Return the arguments of a command or an entrypoint; None where there is none."""
    if command is None:
        return None
    if isinstance(command, str):
        return [*split_words(command)]
    return [Word(text=_text(item)) for item in command] if isinstance(command, Sequence) else []


def _text(item: Any) -> str:
    return ("true" if item else "false") if isinstance(item, bool) else str(item)


@lru_cache(8192)
def split_words(line: str) -> tuple[Word, ...]:
    """Return the words of a text with variables."""
    return tuple(_Splitter(line).words())


class _Splitter:
    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._word: list[str] = []
        self._open = False  # a word has begun, be it empty
        self._bare = False
        self._found: list[Word] = []

    def words(self) -> list[Word]:
        quote = ""
        while self._at < len(self._line):
            if plain_text := _PLAIN.match(self._line, self._at):
                self._add(plain_text[0])
                self._at = plain_text.end()
                continue
            char = self._line[self._at]
            self._at += 1
            if char == "\\" and quote != "'":
                self._add(self._line[self._at : self._at + 1])
                self._at += 1
            elif char == "$":
                self._variable(quoted=bool(quote))
            elif char == quote:
                quote = ""
            elif quote:
                self._add(char)
            elif char in "'\"":
                quote, self._open = char, True
            elif char.isspace():
                self._end()
            elif char in _ENDS:
                break
            else:
                self._add(char)
        self._end()
        return self._found

    def _add(self, text: str) -> None:
        self._word.append(text)
        self._open = True

    def _variable(self, *, quoted: bool) -> None:
        """Take `$$`, `$NAME` or `${…}` as it is."""
        end = self._at
        if self._line[end : end + 1] == "$":
            end += 1
        elif self._line[end : end + 1] == "{":
            end = closing_brace(self._line, end)
            self._bare = self._bare or not quoted
        elif self._line[end : end + 1].isalpha() or self._line[end : end + 1] == "_":
            self._bare = self._bare or not quoted
        self._add("$" + self._line[self._at : end])
        self._at = end

    def _end(self) -> None:
        if self._open:
            self._found.append(Word(text="".join(self._word), bare=self._bare))
        self._word, self._open, self._bare = [], False, False


def closing_brace(line: str, start: int) -> int:
    """Return the place behind the brace that closes the one at ``start``."""
    depth = 0
    for brace in _BRACES.finditer(line, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(line)
