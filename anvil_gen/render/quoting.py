"""Values as text of a file format, each so that every reader gets the same value back.

One function per format turns a value into text that every reader takes for exactly that value. Templates never quote:
their environment (`jinja_env`) calls these for whatever a template prints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from anvil_gen.diagnostics import InternalError
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import ComposeText, Number, Text, VariableText, VariableValue, compose_text

# Plain scalars only where YAML 1.1 and 1.2 readers agree that it is this string: it starts with a letter, a slash or
# dashes (a flag), and holds nothing that could end or change it; or it is a duration or a size. Words that some
# reader takes for something else are quoted.
_PLAIN = lazy_pattern(
    r"(?:[A-Za-z]|/|\./|--?[A-Za-z])(?:[A-Za-z0-9_./=@+-]|:(?=[A-Za-z0-9_./=@+-]))*|[0-9]+(?:ms|[smh]|[kmg]b?)"
)
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_YAML_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
_TOML_ESCAPES = {**_YAML_ESCAPES, "\0": "\\u0000"}
# Printable for every reader: U+0085, U+2028, U+2029 are line breaks for some, the BOM and the last two of the plane
# are no characters for others.
_CONTROLS = "\\x00-\\x1f\\x7f-\\xa0\\u2028\\u2029\\ud800-\\udfff\\ufeff\\ufffe\\uffff"
_UNPRINTABLE = lazy_pattern(f'["\\\\{_CONTROLS}]')
# In a comment also what is invisible, or turns the direction of the text. A fixed class: `str.isprintable` knows other
# characters in another version of Python.
_INVISIBLE = lazy_pattern(
    f"[{_CONTROLS}\\xad\\u061c\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\U000e0000-\\U000e007f]"
)
_ASTRAL = lazy_pattern("[\\U00010000-\\U0010ffff]")
_CFG_WORD = lazy_pattern(r"[A-Za-z0-9_./:@*,+=-]+")
_CFG_ESCAPES = {'"': '\\"', "\\": "\\\\", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CFG_SPECIAL = lazy_pattern(f'["$\\\\{_CONTROLS}]|{_INVISIBLE.pattern}')
_UNIT_NAME = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9_./:@=, ()-]*|--[A-Za-z0-9_./:=@-]+")
_UNIT_WORD = lazy_pattern(r"[A-Za-z0-9_./:@,+=$%-]+")
_UNIT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNIT_SPECIAL = lazy_pattern(f'["\\\\{_CONTROLS}]|{_INVISIBLE.pattern}')
_MAP_SPECIAL = lazy_pattern(r"[\x00-\x20\x7f]|\s")
_WORD = lazy_pattern(r"[A-Za-z0-9_][A-Za-z0-9_./:@+=-]*")


def _escaped(text: str, escapes: dict[str, str]) -> str:
    def escape(match: re.Match[str]) -> str:
        char = match[0]
        return escapes.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")

    return _ASTRAL.sub(escape, _UNPRINTABLE.sub(escape, text))


@lru_cache(1024)
def yaml_string(text: str) -> str:
    """Return a YAML scalar that is this string for YAML 1.1 and 1.2 readers alike."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    if _is_literal(text) and ('"' in text or "\\" in text):
        return f"'{text}'"
    return f'"{_escaped(text, _YAML_ESCAPES)}"'


def _is_literal(text: str) -> bool:
    """Tell whether a text can be put between single quotes as it is."""
    return text.isascii() and text.isprintable() and "'" not in text


def yaml_folded(texts: Iterable[str], indent: int) -> str:
    """Return one quoted YAML string of the texts joined by spaces, each on a line of its own.

    A line break inside a quoted scalar reads as one space, so no text may begin or end with white space.

    Raises:
        InternalError: one does, or is empty.
    """
    lines = list(texts)
    if any(not line or line != line.strip(" \t") for line in lines):
        raise InternalError(f"{lines!r} cannot be folded: white space at the end of a line is lost")
    between = "\n" + " " * indent
    if all(map(_is_literal, lines)):
        return f"'{between.join(lines)}'"
    return f'"{between.join(_escaped(line, _YAML_ESCAPES) for line in lines)}"'


def yaml_literal(text: str, indent: int) -> str:
    """Return a text as a block of its own lines, each behind ``indent`` spaces; quoted where it cannot be one."""
    plain = text.replace("\n", "").replace("\t", "").replace('"', "").replace("\\", "")
    if not text.strip() or _UNPRINTABLE.search(plain) or _ASTRAL.search(plain):
        return yaml_string(text)
    lines, margin = text.split("\n"), " " * indent
    ends = "-" if lines[-1] else "+" if text.endswith("\n\n") else ""
    body = "\n".join(f"{margin}{line}" if line else "" for line in (lines if lines[-1] else lines[:-1]))
    return f"|2{ends}\n{body}"


def yaml_block(value: Any, indent: int) -> str:
    """Return a mapping or list in block style, each line behind ``indent`` spaces, without a last line break.

    Keys are written as they are: Compose interpolates nothing in them.
    """
    return "\n".join(_block_lines(value, " " * indent))


def _block_lines(value: Any, margin: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{margin}{yaml_string(str(key))}:", item, margin + "  ")
    else:
        for item in value:
            if isinstance(item, Mapping | list | tuple) and item:
                first, *rest = _block_lines(item, margin + "  ")
                yield f"{margin}- {first.lstrip(' ')}"
                yield from rest
            else:
                yield from _entry(f"{margin}-", item, margin + "  ")


def _entry(head: str, value: Any, margin: str) -> Iterator[str]:
    if value is None:
        yield head
    elif not isinstance(value, Mapping | list | tuple):
        yield f"{head} {to_yaml(value)}"
    elif value:
        yield head
        yield from _block_lines(value, margin)
    else:
        yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}"


def toml_string(text: str) -> str:
    """Return a TOML basic string."""
    return f'"{_escaped(text, _TOML_ESCAPES)}"'


def compose_string(text: Text) -> str:
    """Return a text as the YAML string that Compose is to read."""
    return text if isinstance(text, ComposeText) else compose_text(text)


def to_yaml(value: object) -> str:
    """Return a value of a compose file."""
    if isinstance(value, VariableValue):
        value = value.reference
    if isinstance(value, str | VariableText):
        return yaml_string(compose_string(value))
    return _yaml_float(str(value)) if isinstance(value, Number) else _scalar(value)


def to_data(value: object) -> str:
    """Return a value of a YAML file that Compose does not read: a `$` is nothing special in it."""
    _refuse_variable(value)
    if isinstance(value, str):
        return yaml_string(value)
    return _yaml_float(str(value)) if isinstance(value, Number) else _scalar(value)


def _yaml_float(text: str) -> str:
    """Return a float as every YAML reader takes it for one: with a point, and with a sign in its exponent."""
    mantissa, exponential, exponent = text.lower().partition("e")
    if mantissa.endswith(("inf", "nan")):
        return {"inf": ".inf", "-inf": "-.inf"}.get(mantissa, ".nan")
    if not exponential:
        return text
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent.startswith(("+", "-")) else "+"
    return f"{mantissa}{point}e{sign}{exponent}"


_POD_VARIABLE = lazy_pattern("\0([A-Z_]+)\0")


def to_pod(value: object) -> str:
    """Return a word of a container's command or environment, in which Kubernetes would put variables: `$(NAME)`.

    A name between two NULs is a variable that is meant.
    """
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    return yaml_string(_POD_VARIABLE.sub(r"$(\1)", text.replace("$", "$$")))


def to_unit(value: object) -> str:
    """Return the value of a key of a systemd unit that is one name or number."""
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    if not _UNIT_NAME.fullmatch(text):
        raise InternalError(f"{text!r} cannot be written to a unit: it is no plain name")
    return text


def systemd_line(value: object) -> str:
    """Return a whole value of a key of a unit that Podman puts on its command line: systemd reads `$` and `%` there."""
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    if not text or text != text.strip() or text.endswith("\\") or _INVISIBLE.search(text):
        raise InternalError(f"{text!r} cannot be written to a unit as it is")
    return text.replace("%", "%%").replace("$", "$$")


def systemd_word(value: object) -> str:
    """Return a word of a command line of a unit, in which systemd finds neither a variable nor a specifier.

    Podman's generator drops empty words, and reads escapes of bytes as characters.
    """
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    if not text or "\0" in text:
        raise InternalError(f"{text!r} cannot be written to a unit: it has no word that is empty or has a NUL")
    doubled = text.replace("%", "%%").replace("$", "$$")
    if _UNIT_WORD.fullmatch(doubled):
        return doubled
    return f'"{_UNIT_SPECIAL.sub(_unit_escape, doubled)}"'


def _unit_escape(match: re.Match[str]) -> str:
    char = match[0]
    known = _UNIT_ESCAPES.get(char)
    if known is not None:
        return known
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def to_toml(value: object) -> str:
    """Return a TOML value."""
    _refuse_variable(value)
    if isinstance(value, str):
        return toml_string(value)
    return _scalar(value)


def to_json(value: object) -> str:
    """Return a JSON value."""
    return json.dumps(value) if isinstance(value, str) else _scalar(value)


def to_word(value: object) -> str:
    """Return a value for a format without quotes (a Dockerfile, an env file), where only plain words are safe."""
    _refuse_variable(value)
    text = str(value)
    if isinstance(value, str | int) and not isinstance(value, bool) and _WORD.fullmatch(text):
        return text
    raise InternalError(f"{value!r} cannot be written to a file that has no quotes")


def to_cfg(value: object) -> str:
    """Return a word of an HAProxy configuration, in which neither a variable nor the end of the line is found."""
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    if _CFG_WORD.fullmatch(text):
        return text
    if not text or "\0" in text:
        raise InternalError(f"{text!r} cannot be written to a configuration of HAProxy: its words end at a NUL")
    if _is_literal(text):
        return f"'{text}'"
    escaped = _CFG_SPECIAL.sub(_cfg_escape, text)
    return f'"{escaped}"'


def _cfg_escape(match: re.Match[str]) -> str:
    char = match[0]
    return _CFG_ESCAPES.get(char) or "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


def cfg_variable(name: object) -> str:
    """Return a word of an HAProxy configuration for which it takes the value of a variable of its environment."""
    return f'"${{{to_word(name)}}}"'


def to_map(value: object) -> str:
    """Return a word of a map file of HAProxy, which has no quotes: white space ends it, `#` begins a comment."""
    _refuse_variable(value)
    text = value if isinstance(value, str) else _scalar(value)
    if not text or text.startswith("#") or _MAP_SPECIAL.search(text):
        raise InternalError(f"{value!r} cannot be written to a map file, which has no quotes")
    return text


def _refuse_variable(value: object) -> None:
    if isinstance(value, VariableValue):
        raise InternalError(f"{compose_text(value.reference)}: Compose puts no variables into this file")


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Number):
        return str(value)
    raise InternalError(f"a template prints {value!r}: only text, numbers and booleans have a form in a file")


def comment(value: object) -> str:
    """Return text that stays on the line of a comment."""
    return _INVISIBLE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", str(value))
