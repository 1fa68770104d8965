"""What is peculiar to some of an engine's images, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.inventory.fields import Architecture

ComposeKeys = Annotated[Mapping[str, Any], Meta(description="Keys of Compose, below those of a tier's `override`.")]


class Cache(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A named volume of the project for what an engine can make again, so that a recreate does not cost minutes."""

    volume: Annotated[str, Meta(description="Name of the volume.")]
    target: Annotated[str, Meta(description="Folder in the container.")]
    reason: Annotated[str, Meta(description="What it keeps, and what is lost without it.")]


class RunAs(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A user without root as whom an image works."""

    user: Annotated[int, Meta(description="Its number.", ge=1)]
    group: Annotated[int, Meta(description="That of its group.", ge=0)]
    home: Annotated[str, Meta(description="Its home: what Compose mounts below `/root` is mounted there.")]


class ImageKind(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Images that differ from the engine's others; the first whose pattern fits counts."""

    pattern: Annotated[str, Meta(description="Their names, whole, without a digest, as a regular expression.")]
    vendor: Annotated[
        str,
        Meta(description="Vendor of the GPUs that they are for, or `cpu`; empty where the name does not say it."),
    ] = ""
    architectures: Annotated[
        tuple[Architecture, ...], Meta(description="Processors that they are for; empty for all of them.")
    ] = ()
    entrypoint: (
        Annotated[tuple[str, ...], Meta(description="Program, if not the engine's; empty for their own.")] | None
    ) = None
    needs: ComposeKeys = {}
    hub_cache: Annotated[str, Meta(description="Folder of the shared cache, if not the engine's.")] = ""
    caches: (
        Annotated[tuple[Cache, ...], Meta(description="Named volumes for what it can make again, if not the engine's.")]
        | None
    ) = None
    environment: Annotated[Mapping[str, str], Meta(description="Variables beside the engine's.")] = {}
    run_as: Annotated[RunAs, Meta(description="Whom a target runs it as that wants no root.")] | None = None


def kind_of(kinds: Iterable[ImageKind], image: str) -> ImageKind | None:
    """Return the kind of an image; None where nothing is peculiar to it."""
    name = image.partition("@")[0].removeprefix("docker.io/")
    return next((kind for kind in kinds if re.fullmatch(kind.pattern, name)), None)
