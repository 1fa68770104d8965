"""Values of an inventory, as messages show them."""

from __future__ import annotations

from typing import Any


def example(value: Any) -> str:
    """Return an example as TOML has it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {example(item)}' for key, item in value.items())} }}"
    return f"[{', '.join(map(example, value))}]" if isinstance(value, list) else show(value)


def plain_text(value: Any) -> str:
    """Return a plain value as a text has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def show(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, str):
        short = value if len(value) <= 60 else value[:57] + "…"
        return f'"{short}"'
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, dict | list):
        return "this"
    return plain_text(value)


def type_name(value: Any) -> str:
    """Return how messages call a value's type."""
    names = {bool: "a boolean", str: "text", int: "a whole number", dict: "a table", list: "a list"}
    return names.get(type(value), "a number" if isinstance(value, float) else "a date or time")
