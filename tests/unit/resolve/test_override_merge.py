"""Overrides on top of each other and of a service: what merges, replaces, is added and removed."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.resolve.override_merge import add_layer, merge

BIND = {"type": "bind", "source": "/m", "target": "/models/x"}
SERVICE: dict[str, Any] = {
    "image": "a",
    "environment": {"A": "1"},
    "labels": {"a": "1"},
    "ports": ["1:1"],
    "volumes": [BIND, {"type": "volume", "source": "v", "target": "/v"}],
    "networks": ["default"],
    "logging": {"options": {"max-size": "1m", "max-file": "3"}},
    "healthcheck": {"test": ["CMD", "true"]},
    "init": True,
}

RULES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"logging": {"options": {"max-file": "9"}}}, {"logging": {"options": {"max-size": "1m", "max-file": "9"}}}),
    ({"environment": ["B=2", "C"]}, {"environment": {"A": "1", "B": "2", "C": None}}),
    ({"environment": {"A": {"remove": True}}}, {"environment": {}}),
    ({"environment": {"A": False}}, {"environment": {"A": False}}),
    ({"labels": ["a=2"]}, {"labels": {"a": "2"}}),
    ({"ports": ["2:2"]}, {"ports": ["2:2"]}),
    ({"ports": {"add": ["2:2"]}}, {"ports": ["1:1", "2:2"]}),
    ({"devices": {"add": ["/a"]}}, {"devices": ["/a"]}),
    ({"networks": ["own"]}, {"networks": {"default": None, "own": None}}),
    ({"networks": {"own": {"aliases": ["x"]}}}, {"networks": {"default": None, "own": {"aliases": ["x"]}}}),
    ({"volumes": ["/n:/models/x/"]}, {"volumes": ["/n:/models/x/", SERVICE["volumes"][1]]}),
    ({"volumes": ["/n:/n"]}, {"volumes": [*SERVICE["volumes"], "/n:/n"]}),
    ({"volumes": {"add": ["/n:/n"]}}, {"volumes": [*SERVICE["volumes"], "/n:/n"]}),
    ({"extra_hosts": ["a:1"]}, {"extra_hosts": ["a:1"]}),
    ({"init": False}, {"init": False}),
    ({"dns": []}, {}),
]


@pytest.mark.parametrize(("override", "changed"), RULES)
def test_one_layer(override: dict[str, Any], changed: dict[str, Any]) -> None:
    assert merge(SERVICE, add_layer({}, override)) == {**SERVICE, **changed}


@pytest.mark.parametrize("removal", [{"remove": True}, False])
@pytest.mark.parametrize("key", ["logging", "ports", "volumes", "healthcheck", "image"])
def test_a_removed_key(key: str, removal: Any) -> None:
    assert merge(SERVICE, add_layer({}, {key: removal})) == {name: SERVICE[name] for name in SERVICE if name != key}


LAYERS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"labels": {"b": "1"}}, {"labels": {"c": "2"}}, {"labels": {"a": "1", "b": "1", "c": "2"}}),
    ({"labels": False}, {"labels": {"c": "2"}}, {"labels": {"c": "2"}}),
    ({"labels": {"a": {"remove": True}}}, {"labels": {"a": "3"}}, {"labels": {"a": "3"}}),
    ({"ports": {"add": ["2:2"]}}, {"ports": {"add": ["3:3"]}}, {"ports": ["1:1", "2:2", "3:3"]}),
    ({"ports": ["2:2"]}, {"ports": {"add": ["3:3"]}}, {"ports": ["2:2", "3:3"]}),
    ({"ports": False}, {"ports": {"add": ["3:3"]}}, {"ports": ["3:3"]}),
    ({"volumes": False}, {"volumes": ["/n:/n"]}, {"volumes": ["/n:/n"]}),
    ({"volumes": ["/a:/v"]}, {"volumes": ["/b:/v"]}, {"volumes": [BIND, "/b:/v"]}),
    ({"logging": False}, {"logging": {"driver": "x"}}, {"logging": {"driver": "x"}}),
    ({"extra_hosts": ["a:::1"]}, {"extra_hosts": {"b": "2"}}, {"extra_hosts": {"a": "::1", "b": "2"}}),
    (
        {"depends_on": ["a"]},
        {"depends_on": ["b"]},
        {"depends_on": {key: {"condition": "service_started"} for key in "ab"}},
    ),
]


@pytest.mark.parametrize(("low", "high", "changed"), LAYERS)
def test_layers_are_as_if_each_were_merged_in_turn(
    low: dict[str, Any], high: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert merge(SERVICE, add_layer(add_layer({}, low), high)) == {**SERVICE, **changed}
    assert merge(merge(SERVICE, add_layer({}, low)), add_layer({}, high)) == {**SERVICE, **changed}
