"""Options in layers: who has the last word, where it was said, and that every option has a default or is unset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import InternalError
from anvil_gen.inventory.schema_host import GpuTable
from anvil_gen.resolve.layers import Layer, layered, set_fields
from anvil_gen.resolve.options import (
    ExperimentOptions,
    GpuOptions,
    HostOptions,
    Options,
    Origin,
    RouterOptions,
    TierOptions,
)
from anvil_gen.values import EnvRef, Text, VariableText, fill_placeholders

SECTIONS: dict[str, type[Options]] = {
    "host": HostOptions,
    "gpu": GpuOptions,
    "tier": TierOptions,
    "router": RouterOptions,
    "experiment": ExperimentOptions,
}
# What stands for the experiment, and its section lacks.
OF_TIERS_ALONE = {
    "task",
    "entrypoint",
    "command",
    "healthcheck",
    "container_port",
    "ports",
    "caches",
    "build",
    "env_file",
    "pass_",
    "networks",
    "override",
}


class Paint(Options, frozen=True, kw_only=True):
    """Options of a table that is no inventory's."""

    colour: str | None
    coats: int
    mix: Mapping[str, Any]


BASE = Layer(name="base", values={"colour": None, "coats": 1, "mix": {"a": 1, "deep": {"x": 1}}})


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_of_the_defaults_has_the_fields_of_its_options(section: str) -> None:
    fields = set(SECTIONS[section].__struct_fields__) - {"origins", "replica"}

    assert set(Catalog().defaults[section]) == fields - (OF_TIERS_ALONE if section == "experiment" else set())


@pytest.mark.parametrize("section", SECTIONS)
def test_the_defaults_alone_are_options(section: str) -> None:
    defaults = Catalog().defaults[section]
    options = layered(SECTIONS[section], Layer(name="defaults", values=defaults))

    assert {name: options.get(name) for name in options} == dict(defaults)


def test_what_an_experiment_has_not_is_empty() -> None:
    options = layered(ExperimentOptions, Layer(name="defaults", values=Catalog().defaults["experiment"]))

    assert {name: getattr(options, name) for name in OF_TIERS_ALONE} == {
        "task": None,
        "entrypoint": None,
        "command": None,
        "healthcheck": None,
        "build": None,
        "env_file": (),
        "pass_": (),
        "networks": None,
        "container_port": None,
        "ports": (),
        "caches": True,
        "override": {},
    }
    assert options.get("task") is None
    assert options.path_of("task") is None


@pytest.mark.parametrize(
    ("above", "colour", "coats", "mix"),
    [
        ([], None, 1, {"a": 1, "deep": {"x": 1}}),
        ([{"colour": "red"}, {"colour": "blue"}], "blue", 1, {"a": 1, "deep": {"x": 1}}),
        ([{"colour": "red"}, {"colour": None}], None, 1, {"a": 1, "deep": {"x": 1}}),
        ([{"coats": 3}, {"colour": "red"}], "red", 3, {"a": 1, "deep": {"x": 1}}),
        # Tables merge by key, and no deeper.
        ([{"mix": {"b": 2}}, {"mix": {"b": 3}}], None, 1, {"a": 1, "deep": {"x": 1}, "b": 3}),
        ([{"mix": {"deep": {"y": 2}}}], None, 1, {"a": 1, "deep": {"y": 2}}),
        ([{"mix": {}}], None, 1, {"a": 1, "deep": {"x": 1}}),
    ],
)
def test_the_last_layer_has_the_last_word(
    above: list[dict[str, Any]], colour: str | None, coats: int, mix: dict[str, Any]
) -> None:
    options = layered(Paint, BASE, *(Layer(name="above", values=values) for values in above))

    assert (options.colour, options.coats, options.mix) == (colour, coats, mix)
    assert BASE.values["mix"] == {"a": 1, "deep": {"x": 1}}


def test_an_option_knows_where_it_was_written() -> None:
    options = layered(
        Paint,
        BASE,
        Layer(name="engine", values={"coats": 2}),
        Layer(name="[defaults]", values={"colour": "red", "mix": {}}, path=("defaults",)),
        Layer(name="[walls.north]", values={"colour": "blue"}, path=("walls", "north")),
    )

    assert dict(options.origins) == {
        "colour": Origin(layer="[walls.north]", path=("walls", "north", "colour")),
        "coats": Origin(layer="engine"),
        "mix": Origin(layer="[defaults]", path=("defaults", "mix")),
    }
    assert list(options) == ["colour", "coats", "mix"]
    assert [options.path_of(name) for name in ("colour", "coats", "gloss")] == [
        ("walls", "north", "colour"),
        None,
        None,
    ]


def test_an_option_that_the_first_layer_lacks_is_refused() -> None:
    with pytest.raises(InternalError, match=r'^above: "gloss" is no option of base$'):
        layered(Paint, BASE, Layer(name="above", values={"gloss": 1}))


def test_only_what_is_written_is_a_layer() -> None:
    assert set_fields(GpuTable(uuid="GPU-1", reserve_mib=0)) == {"uuid": "GPU-1", "reserve_mib": 0}
    assert set_fields(GpuTable()) == {}


@pytest.mark.parametrize(
    ("default", "filled"),
    [
        ("{name}", "chat"),
        ("{name}-{port}", VariableText(("chat-", EnvRef(name="PORT")))),
        ("{other}", "{other}"),
        ("plain", "plain"),
        (None, None),
        (3, 3),
        ({"a": "{name}"}, {"a": "{name}"}),
    ],
)
def test_placeholders_of_a_default(default: Any, filled: Any) -> None:
    values: dict[str, Text] = {"name": "chat", "port": VariableText((EnvRef(name="PORT"),))}

    assert fill_placeholders({"option": default}, values) == {"option": filled}
