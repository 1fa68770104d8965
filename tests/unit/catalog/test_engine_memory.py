"""How engines take memory, as data: the shipped files, a user's own, and what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine_memory import engine_memory
from anvil_gen.diagnostics import DiagnosticError

SHIPPED = Catalog()
OWN = 'cache = "pool"\ntakes = "share"\nfraction = 0.5\nweights.other = { low = 1.0, high = 1.1 }\n'


def own_catalog(folder: Path, name: str, text: str) -> Catalog:
    """Return a catalog with a file of a user's own."""
    file = folder / "templates" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return Catalog(folder / "templates")


UNKNOWN = {
    *("aphrodite", "custom", "infinity", "ktransformers", "lmdeploy", "localai", "mistralrs", "nim", "speaches"),
    *("tabbyapi", "tgi"),
}
"""The engines whose memory nobody has measured: `fit` says so, and guesses nothing."""


def test_an_engine_with_figures_is_not_listed_as_unknown() -> None:
    assert {name for name in SHIPPED.names("engines") if engine_memory(SHIPPED, name) is None} == UNKNOWN


@pytest.mark.parametrize("name", [name for name in SHIPPED.names("engines") if name not in UNKNOWN])
def test_every_measured_engine_says_how_it_takes_memory(name: str) -> None:
    memory = engine_memory(SHIPPED, name)

    assert memory is not None
    assert memory.cache == "none" or "auto" in memory.kv_dtypes
    assert all(change.source for change in memory.since)


def test_nothing_is_known_of_a_command_of_ones_own() -> None:
    assert engine_memory(SHIPPED, "custom") is None


def test_changes_add_up_to_a_version() -> None:
    memory = engine_memory(SHIPPED, "vllm")
    assert memory is not None
    ratios = {version: memory.of_version(version).group_ratio for version in ("0.11.2", "0.12.0", "v0.17.1", "0.18")}

    assert ratios == {"0.11.2": 0.0, "0.12.0": 1.25, "v0.17.1": 1.25, "0.18": 1.5}
    assert memory.of_version(None) == memory.of_version("99")


def test_a_users_file_is_read_instead(tmp_path: Path) -> None:
    memory = engine_memory(own_catalog(tmp_path, "engines/vllm/memory.toml", OWN), "vllm")

    assert memory is not None
    assert (memory.cache, memory.fraction) == ("pool", 0.5)


def test_a_users_architectures_are_read_instead(tmp_path: Path) -> None:
    known = architectures(
        own_catalog(tmp_path, "architectures.toml", '[[family]]\nlayers = "SF"\nconfig = ["brand_new"]\n')
    )

    family = known.find("brand_new", "config")
    assert family is not None
    assert family.layers == "SF"
    assert known.find("llama", "config") is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (OWN.replace("pool", "heap"), 1, "heap"),
        (OWN.replace("weights.other", "weights.fp8"), 4, '"other" is missing'),
        (OWN + "overhead_gib = { low = 2.0, high = 1.0 }\n", 5, "it ends before it begins"),
        (
            OWN + '[[since]]\nversion = "2"\nsource = "x"\n[[since]]\nversion = "1.9"\nsource = "x"\n',
            9,
            "it is earlier than the one before",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        engine_memory(own_catalog(tmp_path, "engines/vllm/memory.toml", text), "vllm")

    (diagnostic,) = caught.value.diagnostics
    assert words in diagnostic.detail
    assert diagnostic.location is not None
    assert diagnostic.location.line == line


def test_an_architecture_in_two_families_is_told(tmp_path: Path) -> None:
    text = '[[family]]\nlayers = "F"\nconfig = ["a"]\n[[family]]\nlayers = "M"\nconfig = ["b", "a"]\n'

    with pytest.raises(DiagnosticError, match="invalid template data"):
        architectures(own_catalog(tmp_path, "architectures.toml", text))
