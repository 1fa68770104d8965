"""What a wrong value most likely means: the same thing in the form that its key takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from anvil_gen.diagnostics import did_you_mean
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import Number

_QUANTITY = lazy_pattern(r"(?P<number>[0-9][0-9_,]*(?:\.[0-9]+)?)\s*(?P<unit>[A-Za-z]*|%)")
_HUB_URL = lazy_pattern(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<repo>[^/\s]+/[^/\s?#]+)")
_FROM_MIB = 1000
"""From here on, a number without a unit is hardly one of GiB."""
_LEAST_PERCENT = 10
_LONGEST = 200
_WORDS = lazy_pattern(r"[A-Za-z0-9._-]+(?:\s+[A-Za-z0-9._-]+)+")
_SPANS = {"hour": "h", "min": "m", "sec": "s"}


def nearest(value: Any, is_valid: Callable[[Any], bool], unit: str = "") -> Any:
    """Return the first reading of a wrong value that is valid; None where there is none.

    Args:
        value: what is written.
        is_valid: whether a value is as its key requires.
        unit: of the key, where it says one.
    """
    is_number = isinstance(value, int | Number) and not isinstance(value, bool) and abs(value) < 2**63
    if not is_number and not (isinstance(value, str) and len(value) <= _LONGEST):
        return None
    return next((one for one in _readings(value, is_valid, unit) if one != value and is_valid(one)), None)


def _readings(value: str | float, is_valid: Callable[[Any], bool], unit: str) -> Iterator[Any]:
    text = str(value).strip()
    hub, quantity = _HUB_URL.match(text), _QUANTITY.fullmatch(text)
    if hub is not None:
        yield hub["repo"]
    elif quantity is not None:
        number, written = quantity["number"].replace("_", "").replace(",", ""), quantity["unit"]
        spans = (short for word, short in _SPANS.items() if written.lower().startswith(word))
        letter = next(spans, written[:1].lower())
        yield from _numbers(number, letter, unit)
        if written or isinstance(value, Number):
            yield number + written
        if not is_valid("word"):  # any text would be
            yield from _with_unit(number, letter)
    elif _WORDS.fullmatch(text):
        yield re.sub(r"\s+", "-", text)


def _numbers(text: str, letter: str, unit: str) -> Iterator[int | Number]:
    number = float(text)
    factor = 1024 if letter == "k" or (letter == "g" and unit == "MiB") else 1
    if (number * factor).is_integer() and (factor != 1 or letter == "" or unit == "MiB"):
        yield int(number * factor)
    if letter == "":
        yield Number(text)
    if letter in ("", "%") and number >= _LEAST_PERCENT:
        yield Number(f"{number / 100:g}")


def _with_unit(number: str, letter: str) -> Iterator[str]:
    usual = "g" if float(number) < _FROM_MIB else "m"
    yield number + (letter or usual)
    yield f"{number}{(letter or usual).upper()}iB"
    yield number + (letter or "s")


def with_unit_of(key: str, value: Any, is_valid: Callable[[Any], bool]) -> Any:
    """Return what the value of a key of another name is here: `memory_gb = 24` says its unit in its name."""
    unit = key.rpartition("_")[2]
    said = f"{value}{unit}" if unit in ("gib", "gb") and isinstance(value, int | Number) else value
    if said is value and is_valid(value):
        return value
    meant = nearest(said, is_valid, "MiB")
    return value if meant is None else meant


def keys_between_dots(value: Any, accepts: Callable[[Any], bool]) -> list[str]:
    """Return the keys that lead to an accepted value in tables of one entry: they are parts of one name with dots."""
    keys: list[str] = []
    while isinstance(value, dict) and len(value) == 1 and not accepts(value):
        ((key, value),) = value.items()
        keys.append(key)
    return keys if accepts(value) else []


def plain_name(text: str) -> str:
    """Return the name that is nearest to a text: lower-case letters without accents, digits, and what joins them."""
    from unicodedata import combining, normalize  # noqa: PLC0415  only an error needs it

    letters = "".join(char for char in normalize("NFKD", text.lower()) if not combining(char))
    return re.sub("[^a-z0-9_.-]+", "-", letters).strip("-._")


def nearest_word(value: str, pattern: str, description: str) -> str:
    """Return the nearest of the words that a pattern consists of, or all of them; nothing for another pattern."""
    match = re.match(r"\^\(\?:((?:[a-z-]+\|)+)([a-z-]+:?)", pattern)
    if match is None:
        return ""
    words = [*match[1].rstrip("|").split("|"), match[2]]
    choices = ", ".join(f"{word}NAME" if word.endswith(":") else word for word in words)
    plain = [word for word in words if not word.endswith(":")]
    return did_you_mean(value, plain) or f"{description} One of: {choices}"
