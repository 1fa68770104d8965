"""Timelines as they are made of captures: small, and nothing of a capture is lost."""

from __future__ import annotations

import json
from typing import Any

import flag_timeline
from capture_flags import expand
from hypothesis import given
from hypothesis import strategies as st

DEFINITIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "int", "switch"])},
    optional={
        "default": st.integers(0, 2),
        "choices": st.lists(st.sampled_from("abcd"), min_size=1, unique=True),
        "bare": st.just(True),
    },
)
CAPTURES = st.lists(st.dictionaries(st.sampled_from(["one", "two", "three"]), DEFINITIONS), min_size=1, max_size=5)


def timeline(*captures: dict[str, dict[str, Any]]) -> dict[str, list[list[Any]]]:
    """Return the timeline of the versions 0.0, 0.1 ..."""
    return flag_timeline.timeline({f"0.{number}": capture for number, capture in enumerate(captures)})


def sorted_choices(capture: dict[str, Any]) -> dict[str, Any]:
    """Return a capture without the order of choices, which says nothing."""
    return {
        name: {key: sorted(value) if key == "choices" else value for key, value in definition.items()}
        for name, definition in capture.items()
    }


def test_a_flag_that_stays_the_same_is_told_once() -> None:
    assert timeline({"seed": {"type": "int"}}, {"seed": {"type": "int"}}) == {"seed": [["0.0", {"type": "int"}]]}


def test_a_change_holds_only_what_changed() -> None:
    before, after = {"type": "int", "default": 1, "bare": True}, {"type": "int", "default": 2}

    assert timeline({"seed": before}, {"seed": after})["seed"][1] == ["0.1", {"bare": None, "default": 2}]


def test_choices_come_and_go_one_by_one() -> None:
    histories = timeline({"kind": {"choices": ["a", "b"]}}, {"kind": {"choices": ["b", "c"]}})

    assert histories["kind"][1] == ["0.1", {"+choices": ["c"], "-choices": ["a"]}]


def test_a_flag_that_went_and_came_back_is_whole_again() -> None:
    assert timeline({"seed": {"type": "int"}}, {}, {"seed": {"type": "int"}})["seed"] == [
        ["0.0", {"type": "int"}],
        ["0.1", None],
        ["0.2", {"type": "int"}],
    ]


def test_a_renamed_flag_is_one_flag_under_its_newest_name() -> None:
    histories = timeline({"tp": {}}, {"tensor-parallel": {"aliases": ["--tp"]}})

    assert histories == {"tensor-parallel": [["0.0", {"name": "tp"}], ["0.1", {"aliases": ["--tp"], "name": None}]]}
    assert expand({"flags": histories}, "0.0") == {"tp": {}}


def test_an_alias_that_becomes_a_flag_of_its_own_takes_no_history_with_it() -> None:
    histories = timeline({"log": {"aliases": ["--quiet"]}}, {"log": {}, "quiet": {"type": "switch"}})

    assert histories["quiet"] == [["0.1", {"type": "switch"}]]
    assert histories["log"][0] == ["0.0", {"aliases": ["--quiet"]}]


@given(CAPTURES)
def test_each_version_is_read_back_as_it_was_captured(captures: list[dict[str, dict[str, Any]]]) -> None:
    data = {"flags": timeline(*captures)}

    for number, capture in enumerate(captures):
        assert sorted_choices(expand(data, f"0.{number}")) == sorted_choices(capture)


def test_the_file_has_a_flag_a_line() -> None:
    data = {"versions": ["0.0", "0.1"], "flags": timeline({"a": {}, "b": {"default": "ä"}}, {"a": {}})}
    text = flag_timeline.text(data)

    assert json.loads(text) == data
    assert [line for line in text.splitlines() if line.startswith('"b"')] == [
        '"b": [["0.0",{"default":"ä"}],["0.1",null]]'
    ]
