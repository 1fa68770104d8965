"""All errors of a value against its type: what msgspec accepts has none, and what it refuses has one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct
from places import REPOSITORY

from anvil_gen.catalog.engine import Engine
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.struct_errors import decode_number, decode_valid
from anvil_gen.values import KeyPath, Number

ROOT = REPOSITORY
BASES: list[tuple[Any, dict[str, Any]]] = [
    (kind, tomllib.loads((ROOT / path).read_text("utf-8"), parse_float=Number))
    for kind, path in (
        (Inventory, "hosts/fakoli-dark.toml"),
        (Inventory, "hosts/lab-quad.toml"),
        (Engine, "templates/engines/vllm/engine.toml"),
    )
]
VALUES: tuple[Any, ...] = (
    *("", "x", "a b", "key", "linux", "chat", "1m", "8g", "80", "[]", "/x", 0, 1, -1, 8000, 70_000, True, False),
    *(Number("0.5"), Number("1.5"), Number("nan"), Number("inf"), [], ["x"], [3], {}, [{}], {"x": 1}, {"x": "X"}),
    *({"env": "X"}, {"env": 3}, {"env": "X", "default": "y"}, {"env": "X", "defualt": "y"}, {"path": "x"}),
)


def places(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Return the path of everything in a value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def replaced(value: Any, path: KeyPath, new: Any) -> Any:
    """Return a copy of a value with something else at a path."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@examples(1500)
@given(st.data())
def test_msgspec_and_all_errors_agree(data: st.DataObject) -> None:
    kind, base = data.draw(st.sampled_from(BASES))
    # A fraction in the place of a float is a `Number`, which msgspec refuses.
    path = data.draw(st.sampled_from([place for place in places(base) if place not in ((), ("image_gib",))]))
    value = replaced(base, path, data.draw(st.sampled_from(VALUES)))
    decoded, errors = decode_valid(value, kind)

    try:
        expected = msgspec.convert(value, kind, dec_hook=decode_number)
    except msgspec.ValidationError:
        assert errors != []
    else:
        assert errors == []
        assert repr(decoded) == repr(expected)  # nan is not equal to itself


class Inner(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table with a required key."""

    name: str
    size: Annotated[int, Meta(ge=1, le=9)] = 1


class Outer(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table with some of everything."""

    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    choice: Literal["one", "two"] = "one"
    one_or_table: str | Inner = ""
    tables: Mapping[Annotated[str, Meta(pattern="^[a-z]+$")], Inner] = {}
    share: float = 1.0
    short: Annotated[str, Meta(max_length=3)] = ""
    yes: bool = False


@pytest.mark.parametrize(
    ("value", "errors", "decoded"),
    [
        ({}, [], Outer()),
        ({"inner": {"name": "x"}, "yes": 1}, [("type", ("yes",))], Outer(inner=Inner(name="x"))),
        ({"inner": {}}, [("missing key", ("inner",))], Outer()),
        ({"inner": {"nmae": "x"}}, [("unknown key", ("inner", "nmae"))], Outer()),
        ({"inner": {"name": "x", "size": 10}}, [("range", ("inner", "size"))], Outer(inner=Inner(name="x"))),
        ({"many": [{"name": "x"}, {"name": 3}]}, [("type", ("many", 1, "name"))], Outer()),
        ({"choice": "three"}, [("choice", ("choice",))], Outer()),
        ({"one_or_table": {"name": 3}}, [("type", ("one_or_table", "name"))], Outer()),
        ({"one_or_table": 3}, [("type", ("one_or_table",))], Outer()),
        ({"tables": {"A": {"name": "x"}}}, [("name", ("tables", "A"))], Outer(tables={"A": Inner(name="x")})),
        ({"tables": {"A": 3}}, [("name", ("tables", "A"))], Outer()),
        ({"share": Number("0.5")}, [], Outer(share=0.5)),
        ({"share": "x"}, [("type", ("share",))], Outer()),
        ({"short": "long"}, [("form", ("short",))], Outer()),
        ({"short": "\0"}, [("NUL", ("short",))], Outer()),
        (3, [("type", ())], UNSET),
    ],
)
def test_every_error_is_reported_and_the_rest_is_read(
    value: Any, errors: list[tuple[str, KeyPath]], decoded: Any
) -> None:
    found, reported = decode_valid(value, Outer)

    assert [(error.kind, error.path) for error in reported] == errors
    assert found == decoded
