"""Tables of an engine's data: how it divides a model, and for which models it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from anvil_gen.inventory.fields import ComputeCapability, Task

Sampling = Literal["temperature", "top_p", "top_k", "min_p"]


class Parallel(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How an engine divides a model between GPUs."""

    expert: Annotated[
        Literal["flag", "size"],
        Meta(description="`expert_parallel` is a bare flag, or the number of GPUs that the experts are divided over."),
    ] = "flag"
    data_inside: Annotated[
        tuple[str, ...],
        Meta(description="Flags with which copies are on the same GPUs as the tensor-parallel group."),
    ] = ()
    elsewhere: Annotated[
        tuple[str, ...],
        Meta(description="Flags that put a part onto other hosts: the GPUs are then not counted."),
    ] = ()


class Picked(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """For which models `anvil-gen add` takes the engine, where none is named."""

    formats: Annotated[
        tuple[Literal["safetensors", "gguf"], ...], Meta(description="Files of models that it is taken for.")
    ]
    tasks: Annotated[
        Mapping[Task, int],
        Meta(description="Task that it is taken for -> its rank: the lowest of all engines is taken."),
    ]
    vendors: Annotated[
        tuple[str, ...], Meta(description="Vendors of the GPUs that it is taken for; `cpu` for none at all.")
    ]
    compute_capability_from: Annotated[
        ComputeCapability, Meta(description="The lowest compute capability that it is taken for.")
    ] = "0.0"
    architectures: Annotated[
        Mapping[Task, tuple[str, ...]],
        Meta(description="Task -> patterns of the architectures that it serves so; any where a task is not listed."),
    ] = {}


class Recognise(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How `import` knows a service of the engine; each is a regular expression."""

    images: Annotated[
        tuple[str, ...],
        Meta(description="Its images, without tag or digest: the official ones, and those that are built from them."),
    ] = ()
    programs: Annotated[
        str, Meta(description="What the words of entrypoint and command have in them, whatever the image.")
    ] = ""
    others: Annotated[
        str, Meta(description="Likewise, where they do something else than serve: pull a model, measure.")
    ] = ""
    port: Annotated[int, Meta(description="Port that its image listens on by itself.", ge=1, le=65535)]
