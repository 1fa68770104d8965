"""Whatever is in an inventory, it is rendered or refused: never a crash, never an internal error."""

from __future__ import annotations

import re
from pathlib import Path

from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from inventories import faults_of
from places import REPOSITORY

REFERENCE = (REPOSITORY / "hosts" / "fakoli-dark.toml").read_text("utf-8")
TOKENS = re.findall(r'\s+|"[^"]*"|[\w.-]+|.', REFERENCE)
# fmt: off
WORDS = [
    "\n", "\r", "=", ".", ",", "#", "[", "]", "[[", "{", "}", '"', "'", '"""', "[]", "{}", '""', "\ufeff", "\u2028",
    "true", "nan", "-inf", "-1", "0", "65536", "1.5", "0x10", "9" * 30, "1979-05-27", "07:32:00",
    "tiers", "fast", "gpus", "flags", "model", "port", '"heavy"', '"vllm"', '"0.0.0.0"', '"::1"', '"20GiB"',
    '"\\u0000"', '"\\u001b[31m"', '"😀"', '"a b"', '"${X}"', '"../x"', '"C:\\x"', f'"{"a" * 300}"',
    '{ repo = "a/b" }', '["rtx5090"]', "{ x = 1979-05-27 }",
    '{ env = "X" }', '{ env = "X", default = 5 }', '{ env = "X", default = "a" }', '{ interpolate = "${X:-5}" }',
    '{ interpolate = "a-${X:?no}" }', '{ interpolate = "${X" }', '{ env = 3, defualt = true }',
]
# fmt: on

places = st.integers(0, len(TOKENS) - 1)
changes = st.one_of(
    st.tuples(st.just("replace"), places, st.sampled_from(WORDS)),
    st.tuples(st.just("insert"), places, st.sampled_from(WORDS)),
    st.tuples(st.just("copy"), places, places),
    st.tuples(st.just("remove"), places, st.integers(1, 12)),
)


def changed(edits: list[tuple[str, int, str | int]]) -> str:
    """Return the reference inventory with some of its tokens replaced, copied or removed."""
    tokens = list(TOKENS)
    for what, place, other in edits:
        if what == "replace":
            tokens[place] = str(other)
        elif what == "insert":
            tokens[place] += str(other)
        elif what == "copy":
            tokens[place] += TOKENS[int(other)]
        else:
            tokens[place : place + int(other)] = [""] * len(tokens[place : place + int(other)])
    return "".join(tokens)


@examples(150)
@given(st.lists(changes, min_size=1, max_size=5))
def test_a_changed_inventory_is_rendered_or_refused(tmp_path: Path, edits: list[tuple[str, int, str | int]]) -> None:
    diagnostics = faults_of(changed(edits), tmp_path)

    assert all(
        diagnostic.summary and (diagnostic.remedy or diagnostic.detail) and diagnostic.location
        for diagnostic in diagnostics
    )


@examples(150)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    assert faults_of(content, tmp_path) != ()
