"""Every limit of the format is reported at its own place, and errors without number end the check in time."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inventories import HUB, faults_of
from msgspec import UNSET
from msgspec import inspect as types

from anvil_gen.diagnostics import MOST_ERRORS, Diagnostic
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


KINDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "keys of the file": ('schema = 1\nhfcache.volume = "hub"\n', "key{} = 1".format),
    "keys of a tier": (HEAD, "key{} = 1".format),
    "tiers": (HEAD, "[tiers.tier{}]\nengine = 'vlm'".format),
    "flags": (f"{HEAD}[tiers.fast.flags]\n", "flag{} = 1".format),
    "an override": (f"{HEAD}[tiers.fast.override]\n", "key{} = 1".format),
    "secrets": (f"{HEAD}[tiers.fast.environment]\n", "A{}_TOKEN = 'abcdefgh'".format),
    "GPUs": (f"{HEAD}[gpus]\n", 'gpu{} = {{ uuid = "GPU" }}'.format),
    "aliases": (f"{HEAD}[router.aliases]\n", "alias{} = 'nix'".format),
    "modes": (HEAD, "[modes.mode{}]\ntiers = ['nix']".format),
}


def work(text: str, folder: Path) -> tuple[int, tuple[Diagnostic, ...]]:
    """Return how many functions are called until a text's errors are found, and these."""
    profile = cProfile.Profile()
    profile.enable()
    found = faults_of(text, folder)
    profile.disable()
    return sum(entry.callcount for entry in profile.getstats()), found


@pytest.mark.parametrize("kind", KINDS)
def test_work_grows_no_faster_than_an_inventory_that_is_wrong_in_each_line(tmp_path: Path, kind: str) -> None:
    head, line = KINDS[kind]
    few, many = ("".join(f"{line(number)}\n" for number in range(size)) for size in (1000, 5000))
    once, _ = work(head + few, tmp_path)
    five_times, found = work(head + many, tmp_path)

    assert five_times <= 5 * once
    assert [diagnostic.severity for diagnostic in found].count("error") == MOST_ERRORS
    assert (found[-1].code, found[-1].severity) == ("too-many-errors", "warning")


def test_a_list_that_is_wrong_in_each_item_ends_as_well(tmp_path: Path) -> None:
    once, _ = work(f"{HEAD}gpus = [{'1,' * 1000}]\n", tmp_path)
    five_times, found = work(f"{HEAD}gpus = [{'1,' * 5000}]\n", tmp_path)

    assert five_times <= 5 * once
    assert len(found) == MOST_ERRORS + 1


def test_files_take_no_more_than_their_number(tmp_path: Path) -> None:
    def inventory(size: int) -> str:
        return f"{HEAD}[tiers.fast.files]\n" + "".join(f'"/f{number}" = "box.toml"\n' for number in range(size))

    work(inventory(1), tmp_path)
    once, _ = work(inventory(100), tmp_path)
    ten_times, found = work(inventory(1000), tmp_path)

    assert found == ()
    assert ten_times <= 10 * once
