"""What of an inventory can be held to a digest or a commit, and what cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.inventory.lock_file import model_key
from anvil_gen.inventory.schema_model import AdapterTable, ModelTable, WeightsTable
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.model_source import REVISION_OPTIONS
from anvil_gen.values import ComposeText, KeyPath, Text, address, interpolations, parts_of

Kind = Literal["images", "models"]


class Wanted(Struct, frozen=True, kw_only=True):
    """An image or a model that a lock has an entry for."""

    kind: Kind
    name: str  # of its entry
    path: KeyPath  # who runs it, and where that is written
    repo: str = ""  # of a model
    revision: str | None = None
    note: str = ""  # why the entry does not hold it

    @property
    def owner(self) -> str:
        """Name of the tier, the service, or of the table."""
        return str(self.path[1] if self.path[0] in ("tiers", "services") else self.path[0])


class Unheld(Struct, frozen=True, kw_only=True):
    """What a lock has no entry for, and why."""

    path: KeyPath
    why: str

    def __str__(self) -> str:
        return f"{address(self.path)}: {self.why}"


def wanted(host: Host) -> tuple[list[Wanted], list[Unheld]]:
    """Return all that an inventory runs; ``host`` is held to nothing itself."""
    found = [*_images(host), *(one for tier in host.stack.tiers for one in _models(host, tier))]
    return [one for one in found if isinstance(one, Wanted)], [one for one in found if isinstance(one, Unheld)]


def _images(host: Host) -> Iterator[Wanted | Unheld]:
    stack = host.stack
    for tier in stack.tiers:
        yield from _image(("tiers", tier.name), tier.service.image, tier.options.override)
    if stack.experiment is not None:
        yield from _image(("experiment",), stack.experiment.service.image, {})
    if stack.router is not None:
        yield from _image(("router",), stack.router.image or "", stack.router.options.override)
    for extra in stack.services:
        yield from _image(extra.table, "", extra.mapping)


def _image(table: KeyPath, image: Text, keys: Mapping[str, Any]) -> Iterator[Wanted | Unheld]:
    """Yield the image of a service, which its own Compose keys may replace."""
    path, own = (*table, "image"), keys.get("image")
    shown: Text = own if isinstance(own, str) else image
    variables = _variables(shown)
    if variables:
        yield Unheld(path=path, why=f"the image is in a variable: {', '.join(variables)}")
    elif not shown:
        yield Unheld(path=path, why="the image is built here")
    elif "@" not in str(shown):  # the inventory holds it itself
        yield Wanted(kind="images", name=str(shown), path=path)


def _variables(text: Text) -> list[str]:
    if isinstance(text, ComposeText):
        return [variable.name for variable in interpolations(text)]
    return [part.name for part in parts_of(text) if not isinstance(part, str)]


def _models(host: Host, tier: Tier) -> Iterator[Wanted | Unheld]:
    engine, table = host.catalog.engine(tier.engine), ("tiers", tier.name)
    if engine is None:
        return
    for field, weights in (("model", tier.options.model), ("draft_model", tier.options.draft_model)):
        if isinstance(weights, WeightsTable):
            yield from _weights(engine, (*table, field), weights)
    for name, adapter in sorted(tier.options.lora.items()):
        if isinstance(adapter, AdapterTable) and adapter.repo is not UNSET:
            note = f"{engine.title} takes no revision of an adapter"
            yield _model(engine, (*table, "lora", name, "repo"), adapter.repo, None, note)


def _weights(engine: Engine, path: KeyPath, weights: WeightsTable) -> Iterator[Wanted | Unheld]:
    held = REVISION_OPTIONS[str(path[-1])] in engine.fields
    note = "" if held else f"{engine.title} takes no revision"
    if weights.repo is not UNSET:
        revision = None if weights.revision is UNSET else weights.revision
        yield _model(engine, (*path, "repo"), weights.repo, revision, note)
    if isinstance(weights, ModelTable) and weights.repos is not UNSET:
        for index, repo in enumerate(weights.repos):
            yield _model(engine, (*path, "repos", index), repo, None, note)


def _model(engine: Engine, path: KeyPath, written: str, revision: str | None, note: str) -> Wanted | Unheld:
    variables = [name for text in (written, revision or "") for name in _variables(text)]
    if variables:
        return Unheld(path=path, why=f"the model is in a variable: {', '.join(variables)}")
    match = re.fullmatch(engine.hub_repo, written)
    if match is None:
        return Unheld(path=path, why=f'"{written}" is not of the Hugging Face Hub')
    name = model_key(match["repo"], revision)
    return Wanted(kind="models", name=name, path=path, repo=match["repo"], revision=revision, note=note)
