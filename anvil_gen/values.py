"""Small values that every room uses: key paths, and texts with variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.patterns import lazy_pattern

KeyPath = tuple[str | int, ...]
"""A key path inside an inventory: ``("tiers", "fast", "gpus", 0)``."""


_BARE_KEY = lazy_pattern(r"[A-Za-z0-9_-]+")
_VARIABLE = lazy_pattern(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\}|(?P<operator>:?[-?+])))"
)

_DEEPEST = 32


def address(path: KeyPath) -> str:
    """Format a key path: ``tiers.fast.gpus[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


class Number(float):
    """A float that keeps its author's spelling, so that ``0.90`` is rendered as ``0.90``."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Parse ``text`` as TOML spells floats (``1_000.5``, ``inf``)."""
        number = super().__new__(cls, text)
        number.text = text.replace("_", "").removeprefix("+")
        return number

    def __str__(self) -> str:
        return self.text


class ComposeText(str):
    """Text that is already escaped for Compose: variables in place, every other ``$`` doubled."""

    __slots__ = ()


class EnvRef(Struct, frozen=True, kw_only=True):
    """A variable that Compose reads when it runs: ``${NAME:-default}``, or ``${NAME:?error}``."""

    name: str
    default: str | None = None
    error: str | None = None


class Interpolation(Struct, frozen=True, kw_only=True):
    """A variable in a text of a compose file: ``${NAME:-word}``, or ``${NAME}`` without an operator.

    ``word`` is itself a text of a compose file, in which there may be variables.
    """

    name: str
    operator: str = ""
    word: str = ""

    @property
    def has_default(self) -> bool:
        """Whether ``word`` is its value where it has none."""
        return self.operator.endswith("-")


Part = str | EnvRef | Interpolation


class VariableText(Struct, frozen=True):
    """Text with variables in it: literal strings and variables, in order."""

    parts: tuple[Part, ...]


Text = str | VariableText
"""A value of a compose file: every ``$`` of a ``str`` is literal, but for a `VariableString`."""


class VariableValue:
    """A value that Compose reads when it runs. It is its default for all that reckons with it.

    What writes a compose file takes ``reference``: `text_of`, `concat`, `compose_text`.
    """

    reference: VariableText

    def __bool__(self) -> bool:
        return True  # it is set, also where it has no default, and is empty


class VariableString(VariableValue, str):
    """A text that Compose reads; empty where it has no default."""

    __hash__ = str.__hash__


class VariableInteger(VariableValue, int):
    """A whole number that Compose reads."""

    __hash__ = int.__hash__


class VariableNumber(VariableValue, Number):
    """A number that Compose reads."""

    __hash__ = Number.__hash__


def with_reference(literal: str | float, reference: Text) -> Any:
    """Return a value that reads as ``literal``, and is written as ``reference``: of the literal's own type."""
    if isinstance(reference, str):
        return literal
    value: Any
    if isinstance(literal, str):
        value = VariableString(literal)
    else:
        value = VariableNumber(str(literal)) if isinstance(literal, float) else VariableInteger(literal)
    value.reference = reference
    return value


def text_of(value: Any) -> Text:
    """Return a value of the inventory as a text of a compose file: what is a variable as its reference."""
    return value.reference if isinstance(value, VariableValue) else str(value)


def as_text(value: Any) -> str:
    """Return a value of the inventory as text, which is a variable where the value is one."""
    text: str = with_reference(str(value), text_of(value))
    return text


def parts_of(text: Text) -> tuple[Part, ...]:
    """Return the pieces of a text, a plain string being one piece."""
    text = text.reference if isinstance(text, VariableValue) else text
    return text.parts if isinstance(text, VariableText) else (text,)


def concat(*texts: Text) -> Text:
    """Join texts; the result is a plain string if it contains no variable."""
    if all(type(text) is str for text in texts):
        return "".join(texts)  # type: ignore[arg-type]
    parts: list[Part] = []
    for part in (part for text in texts for part in parts_of(text)):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "":
            parts.append(part)
    plain = [part for part in parts if isinstance(part, str)]
    return VariableText(tuple(parts)) if len(plain) < len(parts) else "".join(plain)


def fill(pattern: str, values: Mapping[str, Text]) -> Text:
    """Put values in place of ``{name}``; any other brace stays as it is."""
    if "{" not in pattern or isinstance(pattern, VariableValue):
        return pattern
    pieces: list[Text] = []
    rest = pattern
    while rest:
        start = min((at for name in values if (at := rest.find("{" + name + "}")) >= 0), default=-1)
        if start < 0:
            break
        end = rest.index("}", start)
        pieces += [rest[:start], values[rest[start + 1 : end]]]
        rest = rest[end + 1 :]
    return concat(*pieces, rest)


def fill_placeholders(defaults: Mapping[str, Any], values: Mapping[str, Text]) -> dict[str, Any]:
    """Return defaults with their placeholders filled."""
    return {name: fill(value, values) if isinstance(value, str) else value for name, value in defaults.items()}


def canonical_flag(name: str) -> str:
    """Return the canonical spelling of a flag: parsers accept `_` for `-`, but not in the keys behind a dot."""
    flag, dot, keys = name.partition(".")
    return flag.replace("_", "-") + dot + keys


def escape_dollars(text: str) -> str:
    """Return text in which Compose finds no variable."""
    return text.replace("$", "$$")


def compose_text(text: Text) -> str:
    """Return a text as Compose interpolates it: variables as ``${NAME}``, every other ``$`` doubled."""
    if type(text) is str:
        return escape_dollars(text)
    return "".join(escape_dollars(part) if isinstance(part, str) else _variable(part) for part in parts_of(text))


def _variable(ref: EnvRef | Interpolation) -> str:
    if isinstance(ref, Interpolation):
        return f"${{{ref.name}{ref.operator}{ref.word}}}"
    if ref.error is not None:
        return f"${{{ref.name}:?{_in_braces(ref.error)}}}"
    if ref.default is not None:
        return f"${{{ref.name}:-{_in_braces(ref.default)}}}"
    return f"${{{ref.name}}}"


def _in_braces(text: str) -> str:
    if "}" in text or "{" in text:
        raise InternalError(f"a brace inside a variable's default or message: {text!r}")
    return escape_dollars(text)


def split_compose_text(text: str) -> Iterator[str | Interpolation]:
    """Yield the pieces of a text of a compose file: its variables, and what is literal with every ``$$`` as ``$``."""
    start, closing = 0, _closing_braces(text) if "${" in text else {}
    while (match := _VARIABLE.search(text, start)) is not None:
        end = closing.get(match.start() + 1, -1) if match["operator"] else match.end()
        if end < 0:  # nothing closes it, so it is no variable
            yield text[start : match.end()]
            start = match.end()
            continue
        yield text[start : match.start()]
        name, operator = match["name"] or match["bare"], match["operator"] or ""
        word = text[match.end() : end - 1] if operator else ""
        yield Interpolation(name=name, operator=operator, word=word) if name else "$"
        start = end
    yield text[start:]


def _closing_braces(text: str) -> dict[int, int]:
    """Return the place of each brace that is closed, with the one behind the brace that closes it.

    Nobody means one with so many inside one another in it.
    """
    found: dict[int, int] = {}
    opened: list[tuple[int, int]] = []  # with how many are inside one another in it so far
    for brace in re.finditer("[{}]", text):
        if brace[0] == "{":
            opened.append((brace.start(), 0))
        elif opened:
            start, inside = opened.pop()
            if inside < _DEEPEST:
                found[start] = brace.end()
            if opened:
                above, most = opened[-1]
                opened[-1] = (above, max(most, inside + 1))
    return found


def interpolations(text: str) -> Iterator[Interpolation]:
    """Yield the variables in a text of a compose file."""
    return (part for part in split_compose_text(text) if isinstance(part, Interpolation))
