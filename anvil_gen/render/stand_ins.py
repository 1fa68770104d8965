"""Stand-ins for a model, which tell a template everything of it but its texts and whole numbers.

A template that is given stand-ins sees the *shape* of each value that it reads: that there is a text or a number, and
which earlier one it equals; how many items a list has; booleans and the words of closed vocabularies as they are. A
stand-in is made from the shape alone, so two models whose shapes are equal, read by read, look the same to a template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from anvil_gen.resolve.model import Options
from anvil_gen.values import ComposeText, Number, Symbol, VariableText, compose_text

Value = str | int
"""A text or whole number, for which a token stands."""
Shape = Hashable
"""What is known of a value: the place of a text (``~place`` where it is `ComposeText`), else its kind and content."""

_KEYS_KEPT = frozenset({"override", "variables"})  # mappings whose keys are addresses: they are looked up, or merged
_WORDS = frozenset({Symbol, bool, type(None)})  # what a template is told as it is
_NO_OPTIONS = Options({})  # no template reads them: what they say stands in the model's own fields


class Step(NamedTuple):
    """One read: a field of the struct at this place."""

    struct: int
    field: str


class Reading:
    """Lists the values and structs of a model in the order in which they are read; equal values have one place."""

    __slots__ = ("_numbers", "_ready", "_struct_places", "_structs", "_texts", "values")

    def __init__(self) -> None:
        """Start with nothing read."""
        self.values: list[Value] = []
        self._texts: dict[Value, int] = {}
        self._ready: dict[Value, int] = {}  # apart: the same text as Compose reads it is another one
        self._numbers: dict[Value, int] = {}
        self._structs: list[Struct] = []
        self._struct_places: dict[int, int] = {}

    def context(self, context: Mapping[str, Any]) -> Shape:
        """Read what a template is given, by name."""
        return self._shape(context, keys=False)

    def step(self, step: Step) -> Shape:
        """Read a field."""
        struct, field = step
        value = getattr(self._structs[struct], field)
        return self._shape(value) if field not in _KEYS_KEPT else self._shape(value, keys=False)

    def _shape(self, value: Any, *, keys: bool = True) -> Shape:
        kind = type(value)
        if kind is str:
            return self._place(value, self._texts) if value else (str, "")
        if kind in _WORDS:
            return kind, value
        if kind is int:
            return (kind, self._place(value, self._numbers)) if value else (object, 0)
        if kind is tuple or kind is list:
            return kind, *[self._shape(item, keys=keys) for item in value]
        if kind is ComposeText:
            return ~self._place(value, self._ready) if value else (str, "")
        if isinstance(value, Struct):
            return self._of_struct(value)
        if isinstance(value, Mapping):
            shapes = ((self._shape(key) if keys else key, self._shape(item, keys=keys)) for key, item in value.items())
            return dict, *shapes
        return kind, str(value) if kind is Number else value

    def _of_struct(self, struct: Struct) -> Shape:
        if isinstance(struct, VariableText):
            return ~self._place(compose_text(struct), self._ready)
        if isinstance(struct, Options):
            return (Options,)
        place = self._struct_places.setdefault(id(struct), len(self._structs))
        if place == len(self._structs):
            self._structs.append(struct)
        return StandIn, type(struct), place

    def _place(self, value: Value, places: dict[Value, int]) -> int:
        place = places.setdefault(value, len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


class Tokens:
    """Harmless texts and numbers that stand for those at a place."""

    def __init__(self, letters: str, digits: str) -> None:
        """Begin texts with ``letters`` and numbers with twelve ``digits``, which must stand in no file otherwise."""
        self._letters, self._digits = letters, digits
        self._pattern = re.compile(f"{letters}(r?)([0-9]+)qz|{digits}([0-9]{{6}})")

    def text(self, place: int) -> str:
        """Return the token of a text, at a place or ``~place``."""
        return f"{self._letters}{place}qz" if place >= 0 else f"{self._letters}r{~place}qz"

    def number(self, place: int) -> int:
        """Return the token of a number."""
        return int(f"{self._digits}{place:06}")

    def pieces(self, text: str) -> list[str | int]:
        """Return the pieces of a text in order: what stands between tokens, and the tokens' places."""
        if self._letters not in text and self._digits not in text:
            return [text]
        found: list[str | int] = []
        end = 0
        for match in self._pattern.finditer(text):
            place = int(match[2] or match[3])
            found += [text[end : match.start()], ~place if match[1] else place]
            end = match.end()
        return [piece for piece in (*found, text[end:]) if piece != ""]


class Recorder:
    """Gives stand-ins out, and records what is read of them."""

    def __init__(self, tokens: Tokens) -> None:
        """Let ``tokens`` stand for values."""
        self.reading = Reading()
        self.steps: list[tuple[Step, Shape]] = []
        self._tokens = tokens
        self._stand_ins: dict[int, StandIn] = {}

    def context(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return stand-ins for what a template is given."""
        made: dict[str, Any] = self._made(self.reading.context(context))
        return made

    def read(self, step: Step) -> Any:
        """Read a field, and return its stand-in."""
        shape = self.reading.step(step)
        self.steps.append((step, shape))
        return self._made(shape)

    def close(self) -> None:
        """Let go of the stand-ins, which refer back to this: the garbage collector is off."""
        self._stand_ins.clear()

    def _made(self, shape: Any) -> Any:
        """Make a stand-in from nothing but a shape."""
        if type(shape) is int:
            return self._tokens.text(shape)
        kind, *parts = shape
        if kind is int:
            return self._tokens.number(parts[0])
        if kind is StandIn:
            return self._stand_in(*parts)
        if kind is tuple or kind is list:
            return kind(map(self._made, parts))
        if kind is dict:
            return {key if isinstance(key, str) else self._made(key): self._made(item) for key, item in parts}
        if kind is Options:
            return _NO_OPTIONS
        return kind(parts[0]) if kind is Number else parts[0]

    def _stand_in(self, kind: type[Struct], place: int) -> StandIn:
        if place not in self._stand_ins:
            self._stand_ins[place] = StandIn(self.read, place, kind)
        return self._stand_ins[place]


class StandIn:
    """Stands for a struct: each field is read when it is first asked for."""

    def __init__(self, read: Callable[[Step], Any], place: int, kind: type[Struct]) -> None:
        """Read through ``read``, as the struct of this type at this place."""
        self._read = read
        self._place = place
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        if name in self._kind.__struct_fields__:
            value = self._read(Step(self._place, name))
        else:
            computed = getattr(self._kind, name, None)
            if not isinstance(computed, property) or computed.fget is None:
                raise AttributeError(f"{self._kind.__name__} has no {name}")
            value = computed.fget(self)
        self.__dict__[name] = value
        return value
