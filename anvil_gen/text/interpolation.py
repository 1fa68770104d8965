"""What Compose makes of the variables in a text of a compose file, and whether it can read the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import Interpolation, Text, VariableText, concat, escape_dollars, split_compose_text

_LOOKS_INTERPOLATED = lazy_pattern(r"\$\{[A-Za-z_]")
_ONE_VARIABLE = lazy_pattern(r"\$[A-Za-z_][A-Za-z0-9_]*")
_SHORT = 30


def looks_interpolated(text: str) -> bool:
    """Tell whether a text is written as Compose writes variables: `${X…}` in it, or nothing but `$X`."""
    return _LOOKS_INTERPOLATED.search(text) is not None or _ONE_VARIABLE.fullmatch(text) is not None


def as_reference(text: str) -> str:
    """Return how an inventory writes a text with its variables, and how without."""
    literal = f"for the text itself, write {{ interpolate = {_quoted(escape_dollars(text))} }}"
    parts = [part for part in split_compose_text(text) if part != ""]
    only = parts[0] if len(parts) == 1 and isinstance(parts[0], Interpolation) else None
    if only is not None and only.operator in ("", ":-") and not re.search("[${}\r\n]", only.word):
        default = f", default = {_quoted(only.word)}" if only.operator else ""
        return f'for the variable, write {{ env = "{only.name}"{default} }}; {literal}'
    return f"for its variables, write {{ interpolate = {_quoted(text)} }}; {literal}"


def as_variable(text: str) -> str:
    """Return how an inventory writes a text with its variables, in a field whose own form the text itself has not."""
    return f"for its variables, write {{ interpolate = {_quoted(text)} }}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parse_interpolation(text: str) -> Text:
    """Return a text of a compose file by its pieces.

    Raises:
        ValueError: Compose cannot read it; says why.
    """
    _check(text, inside=False)
    return concat(*(part if isinstance(part, str) else VariableText((part,)) for part in split_compose_text(text)))


def _check(text: str, *, inside: bool) -> None:
    """Refuse what Compose refuses, and in a variable's default or message what its versions read differently."""
    for part in split_compose_text(text):
        if isinstance(part, Interpolation):
            _check(part.word, inside=True)
        elif "${" in part:
            start = part[part.index("${") :]
            shown = start if len(start) <= _SHORT else f"{start[:_SHORT]}…"
            raise ValueError(f'"{shown}" is no variable that Compose reads, or its brace is not closed')
        elif inside and re.search("[{}\r\n]", part):
            raise ValueError("a default or message in ${…} has no line break, and no brace that is not a variable's")


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """Return a text of a compose file with its variables interpolated; those that are not set are empty."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in split_compose_text(text))


def fill_all(value: Any, values: Mapping[str, str]) -> Any:
    """Return a value of a compose file with the variables of every text in it interpolated."""
    if isinstance(value, Mapping):
        return {key: fill_all(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_all(item, values) for item in value]
    return fill_variables(value, values) if isinstance(value, str) else value


def _value(variable: Interpolation, values: Mapping[str, str]) -> str:
    is_set = _is_set(variable, values)
    if variable.operator.endswith("+"):
        return fill_variables(variable.word, values) if is_set else ""
    if variable.has_default and not is_set:
        return fill_variables(variable.word, values)
    return values.get(variable.name, "")


def _is_set(variable: Interpolation, values: Mapping[str, str]) -> bool:
    value = values.get(variable.name)
    return value is not None and (value != "" or not variable.operator.startswith(":"))


def unset_variables(text: str, values: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield the variables for which a text has no value, and whether Compose refuses the file without it.

    Those with a default are left out, and what is in a default or an alternative that is not taken.
    """
    for variable in split_compose_text(text):
        if isinstance(variable, str):
            continue
        is_set = _is_set(variable, values)
        if variable.operator.endswith(("-", "+")):
            if is_set == variable.operator.endswith("+"):
                yield from unset_variables(variable.word, values)
        elif not is_set or (variable.operator == "" and values[variable.name] == ""):
            yield variable.name, variable.operator.endswith("?")
