"""What is known of families of models: `templates/models/*.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.engine_parts import Sampling
from anvil_gen.catalog.template_tree import MODELS
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import KeyPath

_ByEngine = Mapping[str, str]
_Parsers = Mapping[str, tuple[str, ...]]
_WILD = lazy_pattern(r"[*?[]")


class ModelFamily(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Models that want the same of an engine."""

    title: Annotated[str, Meta(description="Its name for people.")]
    names: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of a repository's name without its organization, or of a folder's or file's name, "
            "in lower case; the longest that matches decides.",
            min_length=1,
        ),
    ]
    architectures: Annotated[
        tuple[str, ...],
        Meta(description="In `architectures` of config.json: for models whose name is in no family."),
    ] = ()
    source: Annotated[str, Meta(description="Where this is known from.", pattern="^https://")]
    checked: Annotated[
        str, Meta(description="Day on which it was compared with its source.", pattern=r"^\d{4}-\d{2}-\d{2}$(?!\n)")
    ] = ""
    task: Annotated[str, Meta(description="What it is for, where that is not chat.")] = ""
    tools: Annotated[_Parsers, Meta(description="Engine -> parsers that read its tool calls, the best one first.")] = {}
    reasoning: Annotated[_Parsers, Meta(description="Engine -> likewise of its reasoning.")] = {}
    chat_template: Annotated[
        _ByEngine, Meta(description="Engine -> template in the engine's image that tool calls need.")
    ] = {}
    since: Annotated[_ByEngine, Meta(description="Engine -> first version that serves it.")] = {}
    flags: Annotated[
        Mapping[str, Mapping[str, Any]], Meta(description="Engine -> further flags that its original files need.")
    ] = {}
    cache: Annotated[_ByEngine, Meta(description="Engine -> type of the cache that its card or recipe asks for.")] = {}
    sampling: Annotated[
        Mapping[Sampling, int | float],
        Meta(description="Sampling that its authors recommend, where it reasons if it does."),
    ] = {}
    quirks: Annotated[tuple[str, ...], Meta(description="What else is to be known, a sentence each.")] = ()


class ModelFile(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A file of families."""

    family: Annotated[tuple[ModelFamily, ...], Meta(description="Models that want the same of an engine.")] = ()


def model_families(catalog: Catalog) -> tuple[ModelFamily, ...]:
    """Return the families that are known; a user's file replaces the shipped one of its name.

    Raises:
        DiagnosticError: a file has errors.
    """
    return _families(catalog.roots)


@cache
def _families(roots: tuple[Path, ...]) -> tuple[ModelFamily, ...]:
    files = {path.name: path for root in reversed(roots) for path in (root / MODELS).glob("*.toml")}
    return tuple(family for _, path in sorted(files.items()) for family in _read(path).family)


def _read(path: Path) -> ModelFile:
    return decoded(Document(path, display=f"templates/{MODELS}/{path.name}"), ModelFile, _patterns_in_capitals)


def _patterns_in_capitals(data: ModelFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield patterns that no name matches, since names are compared in lower case."""
    for number, family in enumerate(data.family):
        for at, pattern in enumerate(family.names):
            if pattern != pattern.lower():
                yield ("family", number, "names", at), f'"{pattern}" has capitals: write it in lower case'


def family_of(model: str, families: Iterable[ModelFamily]) -> ModelFamily | None:
    """Return the family of a model by the name of its repository, folder or file; None where none is known."""
    name = model.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower()
    # Most begin otherwise: only for the others the pattern is compiled.
    near = ((p, family) for family in families for p in family.names if name.startswith(_WILD.split(p, 1)[0]))
    matches = [(len(p), family) for p, family in near if fnmatchcase(name, p)]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def family_of_architecture(architecture: str, families: Iterable[ModelFamily]) -> ModelFamily | None:
    """Return the family that an architecture is of; None where none is known."""
    return next((family for family in families if architecture in family.architectures), None)
