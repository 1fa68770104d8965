"""Texts of a compose file as an inventory writes them: what is literal, and what is a variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from anvil_gen.inventory.compose_spec import NEWER
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.interpolation import fill_variables, looks_interpolated, parse_interpolation, unset_variables
from anvil_gen.values import Interpolation, Number, interpolations, split_compose_text

_PLAIN_DEFAULT = lazy_pattern(r"[^{}$\x00\r\n]*")


def has_variable(text: Any) -> bool:
    """Return whether Compose puts a variable into a text."""
    return isinstance(text, str) and "$" in text and next(interpolations(text), None) is not None


def plain(text: Any) -> str:
    """Return a text of a compose file with each variable as it is where none is set."""
    return fill_variables(str(text), {}) if isinstance(text, str) and "$" in text else str(text)


def value_of(value: Any) -> Any:
    """Return a value of a compose file as an inventory writes it, with everything in it."""
    if isinstance(value, dict):
        return {key: value_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    parts = [part for part in split_compose_text(value) if part != ""]
    if not any(isinstance(part, Interpolation) for part in parts):
        literal = "".join(map(str, parts))
        return {"interpolate": value} if looks_interpolated(literal) or literal != plain(value) else literal
    return only_variable(parts) or {"interpolate": value}


def without_nulls(value: Any, key: str = "") -> Any:
    """Return a value of a compose file without nulls, which an inventory cannot hold."""
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    if key in ("environment", "args") and None in value.values():  # passed on by their names, which a list can say
        return [name if item is None else f"{name}={env_text(item)}" for name, item in value.items()]
    nothing: Any = {"networks": {}, "labels": "", "annotations": ""}.get(key)
    filled = {name: nothing if item is None else without_nulls(item, name) for name, item in value.items()}
    return {name: item for name, item in filled.items() if item is not None}


def without_newer(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service without the keys that only newer versions of Compose know: an inventory does not have them."""
    found = {key: item for key, item in service.items() if key not in NEWER[""]}
    build = found.get("build")
    if isinstance(build, dict):
        found["build"] = {key: item for key, item in build.items() if key not in NEWER["build"]}
    return found


def env_text(value: Any) -> str:
    """Return the value of a variable as Compose gives it to the container."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def only_variable(parts: list[Any]) -> dict[str, str] | None:
    """Return the reference of a text that is one variable, with a plain default or none."""
    if len(parts) != 1 or parts[0].operator not in ("", ":-") or not _PLAIN_DEFAULT.fullmatch(parts[0].word):
        return None
    variable = parts[0]
    return {"env": variable.name, **({"default": variable.word} if variable.operator else {})}


def typed(value: Any, convert: Callable[[str], Any]) -> Any:
    """Return a value as a typed field has it: a literal, or a variable whose default has the type.

    Raises:
        ValueError: it has not, or has no default.
    """
    if not has_variable(value):
        return convert(plain(value))
    if next(unset_variables(value, {}), None) is not None:
        raise ValueError("a variable has no default")
    default = convert(plain(value))
    reference = value_of(value)
    return {**reference, "default": default} if "default" in reference else reference


def whole(text: str) -> int:
    """Return a whole number that is spelled as an inventory spells it.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch("0|[1-9][0-9]{0,17}", text):
        raise ValueError(text)
    return int(text)


def fraction(text: str) -> Number:
    """Return a number with its spelling.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[0-9]+\.[0-9]+|[01]", text):
        raise ValueError(text)
    return Number(text)


def interpolation_error(text: str) -> str:
    """Return why Compose cannot read the variables of a text; empty where it can."""
    try:
        parse_interpolation(text)
    except ValueError as error:
        return str(error) if "no variable that Compose reads" in str(error) else ""
    return ""


def is_readable(text: str) -> bool:
    """Return whether the variables of a text are such that an inventory can say them."""
    try:
        parse_interpolation(text)
    except ValueError:
        return False
    return True
