"""XML and HTML, each text and attribute escaped where it is put in."""

from __future__ import annotations

from html import escape
from typing import Any


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, *children: str | None, **attributes: Any) -> Markup:
    """Return an element. ``class_`` is `class`, every other underscore a hyphen; without a value, no attribute."""
    given = {key.removesuffix("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    head = "".join(f' {key}="{escape(_number(value))}"' for key, value in given.items())
    inner = joined(*children)
    return Markup(f"<{name}{head}>{inner}</{name}>")


def joined(*children: str | None) -> Markup:
    """Return several texts and elements, one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children if child))


def _number(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
