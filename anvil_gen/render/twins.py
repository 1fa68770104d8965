"""The twin of a rendered file: what its template says of any model of this shape, with holes where values go.

A twin is rendered with tokens for values, and parsed. It is made once for all files that one template makes of models
of one shape: which shape that is shows by what the template reads. The reads and what they found are kept as a tree of
decisions, so that another model's twin is looked up by reading just these fields of it. What a template reads next
follows from what it has read, and a twin is made of nothing else: the one that is found is the one that would be
rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.stand_ins import Reading, Shape, Step, Tokens, Value
from anvil_gen.values import KeyPath

MOST_TWINS = 32
"""How many twins of one template are kept: memory stays flat, however many shapes a fleet has."""


class _Hole(Struct, frozen=True):
    """A text with values in it: pieces of text, and places of values."""

    pieces: tuple[str | int, ...]
    escaped: bool

    def filled(self, values: Values) -> str:
        parts = [piece if isinstance(piece, str) else values.text(piece, self.escaped) for piece in self.pieces]
        return parts[0] if len(parts) == 1 else "".join(parts)


class _NumberHole(Struct, frozen=True):
    """A place of a number."""

    place: int


class _Entries(Struct, frozen=True):
    """A mapping with holes among its keys."""

    items: tuple[tuple[Any, Any], ...]


class _Texts(Struct, frozen=True):
    """A list of texts without holes: equal at a glance, since a text equals nothing but a text."""

    texts: list[str]


class Escape(Struct, frozen=True):
    """How a syntax changes values inside of its texts, so far as its parser does not change them back."""

    applies: Callable[[str], bool]
    """Whether values are changed inside of a text of the parsed data. Inside of keys they never are."""
    change: Callable[[str, bool], str]
    """What a value becomes; the second argument tells whether it is `Ready`."""


class Values:
    """The texts and numbers that go into a twin's holes."""

    def __init__(self, values: Sequence[Value], escape: Escape) -> None:
        """Take values by place."""
        self._values = values
        self._change = escape.change

    def text(self, place: int, escaped: bool) -> str:
        """Return the value at a place or ``~place``, as text."""
        text = str(self._values[place if place >= 0 else ~place])
        return self._change(text, place < 0) if escaped else text

    def number(self, place: int) -> Value:
        """Return the value at a place as it is."""
        return self._values[place]


class Twin:
    """The data of a file, with holes."""

    def __init__(self, data: Any, tokens: Tokens, known: int, escape: Escape) -> None:
        """Take parsed data with tokens.

        Args:
            data: the parsed data.
            tokens: what stands for texts.
            known: how many values have a token.
            escape: how the file's syntax changes values.

        Raises:
            InternalError: a template made a token up.
        """
        self._tokens, self._known, self._escape = tokens, known, escape
        self._data = self._holed(data)

    def difference(self, got: Any, values: Values) -> KeyPath | None:
        """Return where data differ from the twin with values in its holes; None where they are equal."""
        return _difference(got, self._data, values)

    def _holed(self, data: Any, *, key: bool = False) -> Any:
        if isinstance(data, str):
            pieces = self._pieces(data)
            if all(isinstance(piece, str) for piece in pieces):
                return data
            return _Hole(tuple(pieces), not key and self._escape.applies(data))
        if type(data) is int:
            (piece, *more) = self._pieces(str(data))
            return _NumberHole(piece) if isinstance(piece, int) and not more else data
        if isinstance(data, list):
            holed = [self._holed(item) for item in data]
            return _Texts(holed) if all(type(item) is str for item in holed) else holed
        if isinstance(data, dict):
            items = [(self._holed(key, key=True), self._holed(item)) for key, item in data.items()]
            return _Entries(tuple(items)) if any(type(key) in _HOLES for key, _ in items) else dict(items)
        return data

    def _pieces(self, text: str) -> list[str | int]:
        pieces = self._tokens.pieces(text)
        for place in pieces:
            if isinstance(place, int) and max(place, ~place) >= self._known:
                raise InternalError("a template makes up a value")
        return pieces


_HOLES = (_Hole, _NumberHole)


def _filled(data: Any, values: Values) -> Any:
    """Return what stands in a hole; anything else as it is."""
    if type(data) is _Hole:
        return data.filled(values)
    return values.number(data.place) if type(data) is _NumberHole else data


def _opened(data: Any, values: Values) -> Any:
    """Return a node of a twin's data with its own holes filled, those of its items not yet."""
    kind = type(data)
    if kind in _HOLES:
        return _filled(data, values)
    if kind is _Entries:
        return {_filled(key, values): item for key, item in data.items}
    return data.texts if kind is _Texts else data


def _difference(got: Any, want: Any, values: Values) -> KeyPath | None:
    want = _opened(want, values)
    kind = type(want)
    if type(got) is not kind:
        return ()
    if kind is not dict and kind is not list:
        return None if got == want else ()
    if len(got) != len(want):
        return ()
    for key, other in want.items() if kind is dict else enumerate(want):
        one = got[key] if kind is list else got.get(key, _ABSENT)
        # Most are equal at a glance.
        if one == (other.texts if type(other) is _Texts else other) and type(other) in _PLAIN:
            continue
        found = _difference(one, other, values)
        if found is not None:
            return () if one is _ABSENT else (key, *found)
    return None


_PLAIN = (str, _Texts)
_ABSENT = object()


class _Fork:
    """What is read next, and where each shape of it leads: to the next read, or to the twin."""

    __slots__ = ("step", "ways")

    def __init__(self, step: Step) -> None:
        self.step = step
        self.ways: dict[Shape, Any] = {}  # to a _Fork or a Twin


class Twins:
    """The twins of one template."""

    def __init__(self) -> None:
        """Start with none."""
        self._starts: dict[Shape, Any] = {}
        self._count = 0

    def find(self, start: Shape, reading: Reading) -> Twin | None:
        """Return the twin for a model, going by what is read of it after ``start``; None without one."""
        found: Any = self._starts.get(start)
        while type(found) is _Fork:
            found = found.ways.get(reading.step(found.step))
        twin: Twin | None = found
        return twin

    def keep(self, start: Shape, steps: Sequence[tuple[Step, Shape]], twin: Twin) -> None:
        """Keep a twin, with what was read for it; all others go where there are too many."""
        if self._count == MOST_TWINS:
            self._starts, self._count = {}, 0
        self._count += 1
        ways, shape = self._starts, start
        for step, found in steps:
            ways, shape = ways.setdefault(shape, _Fork(step)).ways, found
        ways[shape] = twin
