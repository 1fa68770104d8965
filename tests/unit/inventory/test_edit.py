"""A tier put into an inventory's text: where it goes, and that nothing else is touched."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from places import REPOSITORY

from anvil_gen.inventory.edit import tier_section, with_present_keys, with_tier
from anvil_gen.values import Number

HOSTS = REPOSITORY / "hosts"
TABLE: dict[str, Any] = {"engine": "vllm", "port": 3, "flags": {"a": True}}
LINES = '[tiers.new]\nengine = "vllm"\nport = 3\nflags.a = true\n'
ENTRY = 'new = { engine = "vllm", port = 3, flags = { a = true } }'
HERE = "▸"
"""Stands in a text before the place where the tier goes."""


@pytest.mark.parametrize(
    ("marked", "piece"),
    [
        ("[tiers.a]\nx = 1\n▸", f"\n{LINES}"),
        ("[tiers.a]\nx = 1▸", f"\n\n{LINES}"),
        ("[tiers.a]▸", f"\n\n{LINES}"),
        ("[tiers.a]\nx = 1 # why\n▸\n# about the router\n[router]\n", f"\n{LINES}"),
        ("[tiers.a]\nx = 1\n▸[router]\n", f"\n{LINES}\n"),
        ("[tiers.a]\nx = [\n  1, # one\n] # end\n▸\n[host]\n", f"\n{LINES}"),
        ("[tiers.a]\n▸[host]\n[paths]\n", f"\n{LINES}\n"),
        ("[tiers.a.flags]\nx = '''\n[tiers.z]\n'''\n▸\n[host]\n", f"\n{LINES}"),
        ("[tiers.a]\n[host]\n[tiers.b]\n▸", f"\n{LINES}"),
        ('[ "tiers" . a ]\nx = 1\n▸', f"\n{LINES}"),
        ("[tiers]\na.x = 1\n▸", f"\n{LINES}"),
        ("[tiers]\na = { x = 1 }\n▸\n[host]\n", f"\n{LINES}"),
        ("tiers.a.x = 1\n[host]\ny = 1\n▸", f"\n{LINES}"),
        ("tiers = { a = { x = 1 }▸ } # why\ny = 1\n", f", {ENTRY}"),
        ("tiers = {a={x=1}▸}\n", f", {ENTRY}"),
        ("tiers = {▸}\n", f" {ENTRY} "),
        ("▸", LINES),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
def test_a_tier_is_put_in_at_one_place(marked: str, piece: str, line_end: str, mark: str) -> None:
    before, after = marked.replace("\n", line_end).split(HERE)
    if "\n" in before or "\n" not in marked:
        piece = piece.replace("\n", line_end if "\n" in before + after else "\n")

    assert with_tier(f"{mark}{before}{after}", "new", TABLE) == f"{mark}{before}{piece}{after}"


@pytest.mark.parametrize(
    "text", ["tiers = 1\n", "[tiers]\nnew = 1\n", "[tiers.new]\n", "not TOML", "[[tiers]]\nx = 1\n"]
)
def test_a_text_that_cannot_take_a_tier_is_left_alone(text: str) -> None:
    assert with_tier(text, "new", TABLE) is None


@pytest.mark.parametrize("host", sorted(HOSTS.glob("*.toml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_byte_of_a_reference_inventory_is_kept(host: Path, line_end: str) -> None:
    text = host.read_text("utf-8").replace("\n", line_end)
    edited = with_tier(text, "new", TABLE)
    assert edited is not None
    piece = f"\n{LINES}".replace("\n", line_end)

    assert edited.count(piece) == 1
    assert edited.replace(piece, "") == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        'say "x"',
        "back\\slash",
        "two\nlines\ttab",
        "\x7f\x01\u2028\u0085",
        "'''\"\"\"",
        "🙂",
        True,
        -5,
        Number("0.90"),
        Number("1e5"),
        [],
        ["a", 1, {"b": [True]}],
        {},
        {"": "", "ä b": {"c.d": 1}},
    ],
)
@pytest.mark.parametrize("around", ["[tiers.a]\n", "tiers = {}\n"])
def test_a_value_is_read_as_it_was_given(value: Any, around: str) -> None:
    table = {"model": {"repo": "a/b"}, "flags": {"x": value, "y.z": value}}
    edited = with_tier(around, "new", table)

    assert edited is not None
    assert tomllib.loads(edited, parse_float=Number)["tiers"]["new"] == table


def test_a_number_keeps_its_spelling() -> None:
    assert tier_section("a", {"share": Number("0.90"), "flags": {"x": {"y": Number("1.50")}}}) == (
        "[tiers.a]\nshare = 0.90\nflags.x = { y = 1.50 }\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeff[router]\r\n'engine' = 1 # é\r\n", "\ufeff[router]\r\nkind = 1 # é\r\n"),
        ("x = 'é'\nrouter.engine = 1\n", "x = 'é'\nrouter.kind = 1\n"),
        ("[router]\nengine = 1\nkind = 2\n", None),
        ("[router.tiers.engine]\ntimeout = '1m'\n[tiers.router]\nengine = 1\n", None),
        ("router = 'engine'\n", None),
        ("[router]\nengine = \n", None),
    ],
)
def test_a_renamed_key_gets_its_present_name(text: str, expected: str | None) -> None:
    assert with_present_keys(text) == (text if expected is None else expected)
