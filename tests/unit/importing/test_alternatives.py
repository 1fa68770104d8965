"""Services that stand for each other: which of them the default mode runs, and in which modes the others do."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.importing.alternatives import set_apart

A, B = {"port": 8000, "bind": "all"}, {"port": 8000, "bind": "all"}


def apart(tiers: dict[str, Any], services: dict[str, Any] | None = None) -> tuple[list[str], dict[str, Any]]:
    """Return what is on standby, and the modes."""
    named = {name: {"container_name": False, **table} for name, table in tiers.items()}
    tables = {name: ("tiers", name, table) for name, table in named.items()}
    tables |= {name: ("services", name.lower(), table) for name, table in (services or {}).items()}
    modes = set_apart(tables)
    return [name for name, (_, _, table) in tables.items() if table.get("standby")], modes


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        (A, B, True),
        (A, {"port": 8001, "bind": "all"}, False),
        (A, {"port": 8000, "bind": False}, False),
        ({"port": 8000, "bind": "127.0.0.1"}, {"port": 8000, "bind": "192.0.2.1"}, False),
        ({"port": 8000, "bind": "127.0.0.1"}, {"port": 8000, "bind": "0.0.0.0"}, True),
        ({"port": {"env": "X", "default": 8000}, "bind": "all"}, {"port": {"env": "Y", "default": 8000}}, True),
        ({"port": 1, "ports": ["8000:80"]}, {"port": 2, "override": {"ports": ["8000:90"]}}, True),
        ({"port": 1, "ports": ["8000:80/udp"]}, {"port": 2, "ports": ["8000:90"]}, False),
        ({"container_name": "x"}, {"container_name": "x"}, True),
        ({"container_name": "x"}, {"override": {"container_name": "x"}}, True),
        ({**A, "profiles": ["x"]}, {**B, "profiles": ["y"]}, False),
        ({**A, "profiles": ["x"]}, {**B, "profiles": ["x", "y"]}, True),
        ({**A, "deploy": {"replicas": 0}}, B, False),
        ({**A, "override": {"scale": 0}}, B, False),
    ],
)
def test_what_cannot_run_at_once(one: dict[str, Any], other: dict[str, Any], collide: bool) -> None:
    standby, modes = apart({"a": one, "b": other})

    assert (standby, modes) == ((["b"], {"b": {"tiers": ["b"]}}) if collide else ([], {}))


def test_what_compose_starts_by_default_runs_by_default() -> None:
    standby, modes = apart({"a": {**A, "profiles": ["gpu"]}, "b": B})

    assert (standby, modes) == (["a"], {"a": {"tiers": ["a"]}})


def test_what_needs_one_runs_where_that_one_does() -> None:
    services: dict[str, Any] = {
        "of-a": {"depends_on": ["a"]},
        "of-b": {"depends_on": {"b": {"required": False}}},
        "next": {"links": ["of-b:x"]},
        "any": {"image": "x:1"},
    }
    standby, modes = apart({"a": A, "b": B}, services)

    assert standby == ["b", "of-b", "next"]
    assert modes == {"b": {"tiers": ["b"], "services": ["of-b", "next", "any"]}}


def test_what_needs_two_that_exclude_each_other_stays_as_it_is() -> None:
    standby, modes = apart({"a": A, "b": B}, {"ui": {"depends_on": ["a", "b"]}, "next": {"network_mode": "service:ui"}})

    assert standby == ["b"]
    assert modes == {"b": {"tiers": ["b"]}}


def test_a_service_in_place_of_another_runs_next_to_all_else() -> None:
    services: dict[str, Any] = {"One": {"ports": ["9000:80"]}, "Two": {"ports": ["9000:80"]}, "ui": {"image": "x:1"}}
    standby, modes = apart({"a": A}, services)

    assert (standby, modes) == (["Two"], {"two": {"tiers": ["a"], "services": ["Two", "ui"]}})


def test_what_needs_two_that_are_apart_has_both() -> None:
    tiers = {"a": {**A, "ports": ["9:9"]}, "b": B, "c": {"port": 1, "ports": ["9:9"]}}
    standby, modes = apart(tiers, {"ui": {"depends_on": ["b", "c"]}})

    assert standby == ["b", "c", "ui"]
    assert modes == {"b": {"tiers": ["b", "c"], "services": ["ui"]}}


def test_a_mode_has_a_name_that_a_mode_may_have() -> None:
    assert apart({"a": A, "default": B})[1] == {"default-mode": {"tiers": ["default"]}}
