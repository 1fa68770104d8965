"""Edits of an inventory's text: everything else in it stays as it is, byte for byte."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit
from tomlkit.items import Float, InlineTable, Item, Trivia

from anvil_gen.inventory.schema import RENAMED
from anvil_gen.inventory.toml_positions import Positions
from anvil_gen.values import Number

_BOM = "\ufeff"
_DOTTED = ("environment", "flags")
"""Tables of a tier that are written as dotted keys, a line an entry."""


def with_tier(text: str, name: str, table: Mapping[str, Any]) -> str | None:
    """Return a TOML text with one more tier, after those that it has.

    Returns:
        The text; None where the tier cannot be put in without touching what is there.
    """
    bom = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    before = _data(body)
    tiers = before.get("tiers", {})
    if not isinstance(tiers, dict) or name in tiers:
        return None
    wanted = {**before, "tiers": {**tiers, name: dict(table)}}
    for at, piece in (_section(body, name, table), _entry(body, name, table)):
        edited = body[:at] + piece + body[at:]
        if _data(edited) == wanted:
            return bom + edited
    return None


def with_present_keys(text: str) -> str:
    """Return a TOML text in which every renamed key has its present name, unless that is there as well."""
    bom = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    for (table, old), new in RENAMED.items():
        keys = _data(body).get(table)
        span = (
            Positions(body).key_range((table, old))
            if isinstance(keys, dict) and {old, new} & {*keys} == {old}
            else None
        )
        if span is not None:
            body = body[: span[0]] + new + body[span[1] :]
    return bom + body


def tier_section(name: str, table: Mapping[str, Any]) -> str:
    """Return a tier as a section of a TOML file, with LF line ends."""
    section = tomlkit.table()
    for key, value in table.items():
        if key in _DOTTED and isinstance(value, Mapping):
            for inner, item in value.items():
                section.append(tomlkit.key([key, inner]), _item(item))
        else:
            section.append(tomlkit.key(key), _item(value))
    tiers = tomlkit.table(is_super_table=True)
    tiers.append(tomlkit.key(name), section)
    document = tomlkit.document()
    document.append("tiers", tiers)
    return document.as_string().strip("\n") + "\n"


def _section(body: str, name: str, table: Mapping[str, Any]) -> tuple[int, str]:
    """Return a tier as a section, and its place: behind the last one of ``tiers``, else at the end."""
    end = Positions(body).end_of_sections("tiers")
    at = len(body) if end is None else (body.find("\n", end) + 1 or len(body))
    before, after = body[:at], body[at:]
    line_end = "\r\n" if before.endswith("\r\n") or (not before.endswith("\n") and "\r\n" in before) else "\n"
    lines = list(_with_blank_lines(before, tier_section(name, table).split("\n")[:-1], after))
    return at, line_end.join(lines)


def _with_blank_lines(before: str, section: list[str], after: str) -> Iterator[str]:
    """Yield the lines of a section that goes between two texts, a blank line on either side."""
    if before and not before.endswith("\n"):
        yield ""
    if before:
        yield ""
    yield from section
    if after and not after.startswith(("\n", "\r\n")):
        yield ""
    yield ""


def _entry(body: str, name: str, table: Mapping[str, Any]) -> tuple[int, str]:
    """Return a tier as an entry of ``tiers = { … }``, and its place; nothing where there is no such table."""
    place = Positions(body).end_of_entries("tiers")
    if place is None:
        return 0, ""
    at, filled = place
    entry = f"{tomlkit.key(name).as_string()} = {_item(dict(table)).as_string()}"
    return at, f", {entry}" if filled else f" {entry} "


def _item(value: Any) -> Item:
    if isinstance(value, Number):
        return Float(float(value), Trivia(), str(value))
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            table.append(tomlkit.key(key), _item(inner))
        return _with_inner_spaces(table)
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for inner in value:
            array.append(_item(inner))
        return array
    item: Item = tomlkit.item(value)
    return item


def _with_inner_spaces(table: InlineTable) -> InlineTable:
    """Return a table with a space inside its braces."""
    items = [item for key, item in table.value.body if key is not None]
    if items:
        items[0].trivia.indent = " "
        items[-1].trivia.trail = " "
    return table


def _data(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"), parse_float=Number)
    except (tomllib.TOMLDecodeError, ValueError):
        return {}
