"""A twin is found again by what was read for it, and differs from whatever says something else."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.stand_ins import Reading, Recorder, Tokens
from anvil_gen.render.twins import MOST_TWINS, Escape, Twin, Twins, Values
from anvil_gen.resolve.model import Mount
from anvil_gen.values import KeyPath, escape_dollars

TOKENS = Tokens("zq", "709314285000")
ESCAPE = Escape(applies=lambda _: True, change=lambda text, ready: text if ready else escape_dollars(text))
VALUES: list[str | int] = ["a$b", "c", 80]
DATA: dict[str, Any] = {
    "text": "x zq0qz",
    "ready": "zqr0qz",
    "number": 709314285000000002,
    "joined": ":709314285000000002/",
    "list": ["zq1qz", 1, True, None, 0.5, "same"],
    "keys": {"zq0qz": {"zq1qz": "zq1qz"}, "same": {}},
}
SAID: dict[str, Any] = {
    "text": "x a$$b",
    "ready": "a$b",
    "number": 80,
    "joined": ":80/",
    "list": ["c", 1, True, None, 0.5, "same"],
    "keys": {"a$b": {"c": "c"}, "same": {}},
}
DIFFERENCES: list[tuple[dict[str, Any], KeyPath]] = [
    ({}, ()),
    ({"text": "x a$b"}, ("text",)),
    ({"ready": "a$$b"}, ("ready",)),
    ({"number": 81}, ("number",)),
    ({"number": "80"}, ("number",)),
    ({"number": 80.0}, ("number",)),
    ({"joined": ":81/"}, ("joined",)),
    ({"list": ["c", True, True, None, 0.5, "same"]}, ("list", 1)),
    ({"list": ["c", 1.0, True, None, 0.5, "same"]}, ("list", 1)),
    ({"list": ["c", 1, 1, None, 0.5, "same"]}, ("list", 2)),
    ({"list": ["c", 1, True, "", 0.5, "same"]}, ("list", 3)),
    ({"list": ["c", 1, True, None, 0.5, "other"]}, ("list", 5)),
    ({"list": ["c", 1, True, None, 0.5]}, ("list",)),
    ({"list": {"c": 1}}, ("list",)),
    ({"keys": {"a$$b": {"c": "c"}, "same": {}}}, ("keys",)),
    ({"keys": {"a$b": {"c": "d"}, "same": {}}}, ("keys", "a$b", "c")),
    ({"keys": {"a$b": {"c": "c"}, "same": []}}, ("keys", "same")),
    ({"keys": {"a$b": {"c": "c"}}}, ("keys",)),
    ({"more": 1}, ()),
]


def twin_of(data: Any) -> Twin:
    """Return the twin of parsed data in which three values may stand."""
    return Twin(data, TOKENS, len(VALUES), ESCAPE)


def test_values_go_into_the_holes() -> None:
    assert twin_of(DATA).difference(SAID, Values(VALUES, ESCAPE)) is None


@pytest.mark.parametrize(("other", "place"), DIFFERENCES)
def test_a_difference_is_found_at_its_place(other: dict[str, Any], place: KeyPath) -> None:
    got = {**SAID, **other} if other else {"text": SAID["text"]}

    assert twin_of(DATA).difference(got, Values(VALUES, ESCAPE)) == place


@pytest.mark.parametrize("data", ["zq3qz", ["a", "zqr3qz"], {"zq9qz": 1}, 709314285000000003])
def test_a_token_that_was_not_given_out_is_made_up(data: Any) -> None:
    with pytest.raises(InternalError, match="a template makes up a value"):
        twin_of(data)


def read(mount: Mount) -> Recorder:
    """Read a mount as a template might: what comes second depends on what came first."""
    recorder = Recorder(TOKENS)
    made = recorder.context({"mount": mount})["mount"]
    assert made.source if made.volume else made.read_only in (True, False)
    return recorder


def find(twins: Twins, mount: Mount) -> Twin | None:
    """Look a twin up as the proof does."""
    reading = Reading()
    return twins.find(reading.context({"mount": mount}), reading)


def test_a_twin_is_found_by_what_was_read() -> None:
    twins = Twins()
    volume, bind = Mount(source="a", target="b", volume=True), Mount(source="a", target="b")
    kept = {}
    for mount in (volume, bind):
        recorder, kept[mount] = read(mount), twin_of(mount.target)
        twins.keep(Reading().context({"mount": mount}), recorder.steps, kept[mount])

    assert find(twins, Mount(source="c", target="d", volume=True, external=True)) is kept[volume]
    assert find(twins, Mount(source="", target="d")) is kept[bind]
    assert find(twins, Mount(source="", target="d", volume=True)) is None
    assert find(twins, Mount(source="a", target="b", read_only=True)) is None


def test_the_number_of_twins_is_bounded() -> None:
    twins = Twins()
    starts = [("start", number) for number in range(3 * MOST_TWINS + 1)]
    for start in starts:
        twins.keep(start, [], twin_of(""))
        assert twins.find(start, Reading()) is not None

    assert sum(twins.find(start, Reading()) is not None for start in starts) <= MOST_TWINS
