"""How the layers of model architectures cache: `templates/architectures.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.template_tree import ARCHITECTURES_FILE
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath

Pattern = Annotated[
    str,
    Meta(
        description="Kinds of layers, repeated over all of them: F full attention, S a sliding window, C chunks, "
        "M latent attention, L a state of fixed size, N no cache, X attention to an encoder beside that to the text.",
        pattern=r"^[FSCMLNX]+$(?!\n)",
    ),
]


class Family(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Architectures whose layers cache alike."""

    layers: Pattern
    windowed: Annotated[str, Meta(description="The same where the model names a window; empty for `layers`.")] = ""
    state_bytes: Annotated[
        int, Meta(description="Size of an element of a state, where the model's file does not say it.")
    ] = 2
    config: Annotated[tuple[str, ...], Meta(description="Names in `model_type` of config.json.")] = ()
    gguf: Annotated[tuple[str, ...], Meta(description="Names in `general.architecture` of a GGUF file.")] = ()


class Omitted(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What configurations leave out because it is the default of their class."""

    config: Annotated[tuple[str, ...], Meta(description="Names in `model_type` of config.json.")]
    values: Annotated[Mapping[str, int], Meta(description="Key of config.json -> its value where it is missing.")]


class Architectures(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The architectures that are known, by how their layers cache."""

    family: Annotated[tuple[Family, ...], Meta(description="Architectures whose layers cache alike.")] = ()
    omitted: Annotated[
        tuple[Omitted, ...],
        Meta(description="What configurations leave out because it is the default of their class in transformers."),
    ] = ()

    def find(self, name: str, form: Literal["config", "gguf"]) -> Family | None:
        """Return the family of an architecture; None where it is not known."""
        return next((family for family in self.family if name in getattr(family, form)), None)

    def defaults(self, name: str) -> Mapping[str, int]:
        """Return what a configuration of an architecture means where it is silent."""
        return next((one.values for one in self.omitted if name in one.config), {})


def architectures(catalog: Catalog) -> Architectures:
    """Return what is known of architectures.

    Raises:
        DiagnosticError: the data file has errors.
    """
    found = catalog.find(ARCHITECTURES_FILE)
    if found is None:
        return Architectures()
    return decoded(Document(found, display=f"templates/{ARCHITECTURES_FILE}"), Architectures, _names_twice)


def _names_twice(data: Any) -> Iterable[tuple[KeyPath, str]]:
    """Yield names that are in two families."""
    for form in ("config", "gguf"):
        seen: set[str] = set()
        for number, family in enumerate(data.family):
            twice = sorted(seen.intersection(getattr(family, form)))
            yield from ((("family", number, form), f'"{name}" is in another family already') for name in twice)
            seen.update(getattr(family, form))
