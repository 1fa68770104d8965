"""The remembered state of a tree: whatever somebody has put into its file, it is a state or none."""

from __future__ import annotations

import pytest

from anvil_gen.deploy.state import State, decode
from anvil_gen.resolve.host import Sources

STATE = State(version="1", sources=Sources(own="1", shipped="2"), files={"a.yml": "0"})


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b'{"format": 2}',
        b'{"format": 1, "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        STATE.encode().replace("a.yml", "../a.yml").encode(),
    ],
    ids=["nothing", "empty", "bytes", "a list", "a later format", "nested deeply", "outside"],
)
def test_what_is_none(text: bytes | None) -> None:
    assert decode(text) is None


def test_what_is_one() -> None:
    assert decode(STATE.encode().encode()) == STATE
