"""How an engine serves one model over several hosts: `[multi_node]` of its `engine.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.catalog.image_kind import Cache, ComposeKeys

_FILLED = (
    "`{rank}`, `{nodes}`, `{head}` (address of the first host), `{address}`, `{interface}`, `{gid_index}` and `{hcas}` "
    "(the host's own link), `{workers}` (address and port of each further host), `{bind}`, `{gpus}` (of each host) and "
    "`{link_port}` are filled in"
)


class RankData(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is peculiar to the head of a group, or to its workers."""

    flags: Annotated[
        Mapping[str, Any],
        Meta(description=f"Flags that are added, after those of the tier's fields: {_FILLED}."),
    ] = {}
    without: Annotated[tuple[str, ...], Meta(description="Flags that it does not have.")] = ()
    environment: Annotated[Mapping[str, str], Meta(description="Variables beside those of all ranks.")] = {}
    entrypoint: Annotated[
        tuple[str, ...], Meta(description="Program instead of the engine's; likewise filled in.")
    ] = ()
    command: (
        Annotated[
            tuple[str, ...],
            Meta(description="The whole command of another program, which takes none of the tier's flags."),
        ]
        | None
    ) = None
    weights: Annotated[bool, Meta(description="It reads the weights itself.")] = True
    listens: Annotated[bool, Meta(description="It listens at `{link_port}` itself, and publishes it on the link.")] = (
        False
    )
    caches: Annotated[tuple[Cache, ...], Meta(description="Named volumes instead of the engine's.")] = ()


class Executor(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One way in which the ranks are held together."""

    head: RankData
    worker: RankData
    link_port: Annotated[int, Meta(description="Port at which ranks meet.", ge=1, le=65535)]
    environment: Annotated[
        Mapping[str, str], Meta(description="Variables of all ranks, beside those of the link.")
    ] = {}


class MultiNode(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How the engine serves one model over several hosts."""

    since: Annotated[str, Meta(description="The first version that can.")] = ""
    executors: Annotated[
        Mapping[str, Executor], Meta(description="Name -> a way in which ranks are held together; the first is usual.")
    ]
    needs: Annotated[ComposeKeys, Meta(description="What each rank needs of its container, as keys of Compose.")] = {}
    needs_rdma: Annotated[
        ComposeKeys, Meta(description="Likewise, where the link has RDMA adapters; lists are added to those.")
    ] = {}
    environment: Annotated[
        Mapping[str, str], Meta(description=f"Variables of each rank that say its link: {_FILLED}.")
    ] = {}
    environment_rdma: Annotated[
        Mapping[str, str],
        Meta(
            description="Likewise, where the link has RDMA adapters; one with `{gid_index}` only where that is known."
        ),
    ] = {}
    refuse_images: Annotated[
        tuple[str, ...], Meta(description="Patterns of images, whole, that cannot: their builds leave it out.")
    ] = ()
    refuse_help: Annotated[str, Meta(description="What to take instead of these.")] = ""
    reason: Annotated[str, Meta(description="Comment above the variables of the link.")] = (
        "The group's link: the image's own values would be those of another host."
    )
