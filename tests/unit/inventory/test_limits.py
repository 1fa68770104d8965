"""Every limit of the format is reported at its own place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inventories import HUB, faults_of
from msgspec import UNSET
from msgspec import inspect as types

from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.struct_errors import Decoder, type_info

HEAD = f'schema = 1\nhfcache.volume = "hub"\n[tiers.fast]\nengine = "vllm"\nmodel = {HUB}\nport = 30001\n'
LIMITED = (types.IntType, types.FloatType, types.StrType, types.ListType, types.VarTupleType, types.DictType)
LIMITS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def all_types(kind: types.Type, seen: set[type], hints: dict[str, Any]) -> Iterator[tuple[types.Type, dict[str, Any]]]:
    """Yield each type inside a type, with what its schema says of it."""
    if isinstance(kind, types.Metadata):
        yield from all_types(kind.type, seen, {**hints, **(kind.extra_json_schema or {})})
        return
    yield kind, hints
    inner: list[types.Type] = []
    if isinstance(kind, types.StructType) and kind.cls not in seen:
        seen.add(kind.cls)
        inner = [field.type for field in kind.fields]
    elif isinstance(kind, types.UnionType):
        inner = list(kind.types)
    elif isinstance(kind, types.ListType | types.VarTupleType):
        inner = [kind.item_type]
    elif isinstance(kind, types.DictType):
        inner = [kind.key_type, kind.value_type]
    for each in inner:
        yield from all_types(each, seen, {})


def beyond(kind: types.Type, limit: str, value: Any) -> Any:
    """Return a value of a type that is beyond one of its limits."""
    if limit in ("min_length", "max_length"):
        length = value - 1 if limit == "min_length" else value + 1
        if isinstance(kind, types.StrType):
            return "a" * length
        return [None] * length if not isinstance(kind, types.DictType) else {f"a{n}": None for n in range(length)}
    if limit == "pattern":
        return "\n \0"
    return {"ge": value - 1, "gt": value, "le": value + 1, "lt": value, "multiple_of": value + 1}[limit]


def limits() -> dict[str, tuple[types.Type, dict[str, Any], Any]]:
    """Return every limit of the format: its type, what is said of it, and a value beyond it."""
    found = {}
    for kind, hints in all_types(type_info(Inventory), set(), {}):
        for limit in LIMITS if isinstance(kind, LIMITED) else ():
            value = getattr(kind, limit, None)
            if value is not None:
                found[f"{type(kind).__name__}: {limit} {value}"] = (kind, hints, beyond(kind, limit, value))
    return found


@pytest.mark.parametrize("limit", limits())
def test_every_limit_is_reported_at_its_place(limit: str) -> None:
    kind, hints, value = limits()[limit]
    decoder = Decoder()

    assert decoder.decode(value, kind, ("a", "b"), hints) is UNSET
    assert ("a", "b") in decoder.errors


def test_too_many_hosts_are_reported_at_their_line(tmp_path: Path) -> None:
    names = [f"h{number}" for number in range(9)]
    (found,) = faults_of(f"{HEAD}[router]\nhosts = {msgspec.json.encode(names).decode()}\n", tmp_path)

    assert (found.code, found.address, found.detail) == (
        "invalid-form",
        "router.hosts",
        "it has 9 entries; at most 8 are allowed",
    )
    assert found.location is not None
    assert found.location.line == 8
