"""A stand-in tells all of a model but its values, and what is read of it is known."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.render.stand_ins import Reading, Recorder, Step, Tokens
from anvil_gen.resolve.model import EnvVar, ExtraService, Gpu, Mount, Options, Port
from anvil_gen.values import ComposeText, EnvRef, Number, Symbol, VariableText

TOKENS = Tokens("zq", "709314285000")


def shape(**context: Any) -> Any:
    """Return the shape of a context."""
    return Reading().context(context)


SAME = [
    ({"a": "x"}, {"a": "y"}),
    ({"a": "x", "b": "x"}, {"a": "y", "b": "y"}),
    ({"a": ("x", "y")}, {"a": ("p", "q")}),
    ({"a": 1, "b": 2, "c": 1}, {"a": 5, "b": 6, "c": 5}),
    ({"a": ComposeText("x")}, {"a": VariableText((EnvRef(name="X"),))}),
    ({"a": {"k": "x"}}, {"a": {"k": "y"}}),
    ({"a": Options({})}, {"a": Options({"x": 1})}),  # type: ignore[dict-item]
    ({"a": Number("0.50")}, {"a": Number("0.50")}),
    ({"a": EnvVar(name="x", value=None)}, {"a": EnvVar(name="y", value="z")}),
]
OTHER = [
    ({"a": "x"}, {"a": ""}),
    ({"a": "x"}, {"a": None}),
    ({"a": "x"}, {"a": ComposeText("x")}),
    ({"a": "x"}, {"a": Symbol("x")}),
    ({"a": "x", "b": "x"}, {"a": "x", "b": "y"}),
    ({"a": Symbol("x")}, {"a": Symbol("y")}),
    ({"a": ("x", "y")}, {"a": ("x",)}),
    ({"a": ("x", "y")}, {"a": ["x", "y"]}),
    ({"a": {"k": "x"}}, {"a": {"l": "x"}}),
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"a": 0}),
    ({"a": 1, "b": 1}, {"a": 1, "b": 2}),
    ({"a": 0}, {"a": "x"}),
    ({"a": Number("0.5")}, {"a": Number("0.50")}),
    ({"a": 1.0}, {"a": 1}),
    ({"a": EnvVar(name="x", value=None)}, {"a": Mount(source="x", target="y")}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_shape_is_the_same_for_other_texts(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert shape(**one) == shape(**other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_a_shape_tells_everything_else(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert shape(**one) != shape(**other)


def test_one_struct_in_two_places_has_one_stand_in() -> None:
    mount, same = Mount(source="a", target="b"), Mount(source="a", target="b")
    made = Recorder(TOKENS).context({"one": mount, "two": mount, "three": same})

    assert made["one"] is made["two"]
    assert made["one"] is not made["three"]
    assert shape(a=mount, b=mount) != shape(a=mount, b=same)


def test_a_stand_in_shows_tokens_and_records_each_read_once() -> None:
    recorder = Recorder(TOKENS)
    gpu = Gpu(name="a", uuid="b", vendor=Symbol("v"), memory_mib=9, reserve_mib=0, compute_capability=None)
    made = recorder.context({"gpu": gpu})["gpu"]

    nine = 709314285000000002
    assert [made.uuid, made.name, made.uuid, made.vendor, made.memory_mib] == ["zq0qz", "zq1qz", "zq0qz", "v", nine]
    assert made.compute_capability is None
    assert [step for step, _ in recorder.steps] == [
        Step(0, field) for field in ("uuid", "name", "vendor", "memory_mib", "compute_capability")
    ]
    assert recorder.reading.values == ["b", "a", 9]


def test_what_is_computed_is_computed_from_stand_ins() -> None:
    recorder = Recorder(TOKENS)
    made = recorder.context({"port": Port(host="127.0.0.1", number="80")})["port"]

    assert made.spec == "zq0qz:zq1qz:zq1qz"
    assert [step.field for step, _ in recorder.steps] == ["host", "number"]


def test_what_a_struct_has_not_its_stand_in_has_not() -> None:
    made = Recorder(TOKENS).context({"port": Port(host="h", number="80")})["port"]

    with pytest.raises(AttributeError, match="Port has no nothing"):
        _ = made.nothing


def test_keys_have_tokens_but_where_they_are_addresses() -> None:
    extra = ExtraService(name="ui", mapping={"image": ComposeText("x"), "": 1}, volumes=())
    made = Recorder(TOKENS).context({"extra": extra, "digests": {"router/build": "d"}})

    assert made["digests"] == {"router/build": "zq0qz"}
    assert made["extra"].mapping == {"zq1qz": "zqr2qz", "": 709314285000000003}


def test_tokens_are_found_again() -> None:
    text = f"a{TOKENS.text(12)}{TOKENS.text(~3)}1{TOKENS.number(4)}2 zq"

    assert TOKENS.pieces(text) == ["a", 12, ~3, "1", 4, "2 zq"]
    assert TOKENS.pieces("none") == ["none"]
