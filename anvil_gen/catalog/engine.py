"""The data of an inference engine: `templates/engines/<name>/engine.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from anvil_gen.inventory.fields import ComputeCapability, Platform, Task
from anvil_gen.values import canonical_flag

ModelKind = Literal["path", "repo", "file"]


class Health(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a container is asked whether it serves. ``{port}`` and ``{path}`` are filled into ``test``."""

    path: str
    test: tuple[str, ...]
    tls_test: tuple[str, ...] = ()
    """Of a router that serves HTTPS, where ``test`` does not do."""
    interval: str = "10s"
    timeout: str = "5s"
    retries: int = 3
    start_period: str = "30s"  # of a router; an engine's is an option of its tier


class Cache(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A named volume of the project for what an engine can make again, so that a recreate does not cost minutes."""

    volume: str
    target: str
    reason: str


class ModelsEndpoint(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where an engine tells which models it serves: ``names`` is the way to them in its JSON, ``[]`` for each item."""

    path: str = "/v1/models"
    names: str = "data[].id"


class Refusal(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A value of an option that does not work where its quirk applies."""

    option: str
    values: tuple[str, ...]
    remedy: str


class ImageChoice(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An image for the cards of one vendor, or of one compute capability."""

    image: str
    vendor: str
    compute_capability: ComputeCapability | None = None


class Quirk(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A peculiarity on one platform, some cards or several of them; ``reason`` says why it is there."""

    reason: str
    platform: Platform | None = None
    gpus_from: int = 0
    compute_capability_below: ComputeCapability | None = None
    compute_capability_from: ComputeCapability | None = None
    environment: Mapping[str, str] = {}
    flags: Mapping[str, Any] = {}
    refuse: Refusal | None = None


class Engine(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An inference engine, from ``templates/engines/<name>/engine.toml``."""

    title: str
    docs: str
    image: str
    """The image without cards, or where no choice of ``images`` fits; empty: the tier has to name one."""
    images: tuple[ImageChoice, ...] = ()
    image_gib: float = 10.0
    """What the largest of its images takes on the disk, unpacked, in GiB and roughly."""
    own_command: bool = False
    """The tier brings Compose's ``entrypoint``, ``command`` and ``healthcheck``; nothing is added to them."""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    """Positional arguments before the flags; ``{model}`` is the model's place."""
    flag_style: Literal["equals", "space"]
    list_style: Literal["spread", "repeat"]
    models: tuple[ModelKind, ...]
    model_needed: bool = True
    model_dir: str
    hub_cache: str
    api_base: str
    vendors: tuple[str, ...]
    options: Mapping[str, str | tuple[str, ...]]
    """Option -> flag or flags, in the order of the command line."""
    variables: Mapping[str, str] = {}
    """Option -> environment variable, for an engine that takes no flag for it."""
    option_flags: Mapping[str, Mapping[str, Any]] = {}
    """Option -> flags that go with it where it is set."""
    served_names: Literal["one", "several", "any"] = "one"
    """Model names that it answers to: the served name alone, further ones that it is told too, or whatever is asked."""
    lora_form: str = "{path}"
    """How an adapter is written, by its ``{name}`` and ``{path}``."""
    aliases: Mapping[str, str] = {}
    """Other flags -> the option that they would set."""
    flags: Mapping[str, Any] = {}
    """Flags that are always there, unless the inventory sets or removes them."""
    defaults: Mapping[str, Any] = {}
    reasons: Mapping[str, str] = {}
    """Habit of its services (a key of `[reasons]` in defaults.toml) -> why it is so with this engine."""
    environment: Mapping[str, str] = {}
    """Variables that are always there; ``{port}`` is filled in."""
    hub_environment: Mapping[str, str] = {}
    """Variables that are there where something comes from the hub."""
    tasks: Mapping[Task, Mapping[str, Any]] = msgspec.field(default_factory=lambda: {"chat": {}})
    """Task that it can serve -> the flags that make it do so."""
    health: Health | None = None
    models_endpoint: ModelsEndpoint = ModelsEndpoint()
    caches: tuple[Cache, ...] = ()
    tools: tuple[str, ...] = ()
    """Flags that must all be set for the model to be offered tools."""
    quirks: tuple[Quirk, ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """Flag, by its canonical name -> the option that sets it."""
        mapped = {
            canonical_flag(flag): option
            for option, flags in self.options.items()
            for flag in ((flags,) if isinstance(flags, str) else flags)
        }
        return {**mapped, **{canonical_flag(flag): option for flag, option in self.aliases.items()}}


DERIVED_OPTIONS = ("model", "model.path", "model.repo", "model.file", "revision", "tensor_parallel")
"""What an engine's flags may say beside the options of a tier: the model's argument, and the number of cards."""
