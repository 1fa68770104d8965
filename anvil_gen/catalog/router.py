"""The data of a router: `templates/routers/<name>/router.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from anvil_gen.catalog.health import Health
from anvil_gen.catalog.metrics import Metrics
from anvil_gen.inventory.fields import Task


class RouterKind(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A router; its `tree/` is rendered into the deploy tree."""

    RENAMED: ClassVar[Mapping[str, str]] = {"capabilities": "supports", "limits": "unsupported"}

    title: Annotated[str, Meta(description="Its name for people.")]
    docs: Annotated[str, Meta(description="Where its configuration is documented.")]
    tasks: Annotated[tuple[Task, ...], Meta(description="Tasks that it routes by the served name.")]
    alias_tasks: Annotated[tuple[Task, ...], Meta(description="Those of them that it routes by aliases as well.")]
    case_sensitive: Annotated[bool, Meta(description="Model names that differ in case alone are two.")]
    supports: Annotated[
        tuple[str, ...], Meta(description="Features that it has, of `anvil_gen/catalog/router_features.py`.")
    ] = ()
    unsupported: Annotated[Mapping[str, str], Meta(description="Feature that it lacks -> what happens instead.")] = {}
    name_pattern: Annotated[
        str, Meta(description="Model names that it can route, as a regular expression; empty for any.")
    ] = ""
    name_help: Annotated[str, Meta(description="What `name_pattern` says, in words.")] = ""
    names_limit: (
        Annotated[int, Meta(description="Bytes of the longest list of models that it can answer with.")] | None
    ) = None
    proves_names: Annotated[
        bool,
        Meta(
            description="Its health checks ask each tier for its model's name, so that no other tier at the same "
            "address and port is taken for it."
        ),
    ] = False
    paths: Annotated[
        Mapping[str, Task],
        Meta(
            description="Paths that it answers whatever the engine, each with its task; empty where it has a list of "
            "its own."
        ),
    ] = {}
    form_paths: Annotated[tuple[str, ...], Meta(description="Paths that take a form with a field `model`.")] = ()
    own_paths: Annotated[tuple[str, ...], Meta(description="Paths that it answers by itself.")] = ()
    api_base: Annotated[str, Meta(description="The only path below which it reaches a tier's API; empty for any.")] = ""
    reserved_variables: Annotated[
        tuple[str, ...], Meta(description="Variables of its container that cannot hold the clients' key.")
    ] = ()
    project_prefix: Annotated[
        str, Meta(description="What a project's name must start with for `prefixed_files` to be of use.")
    ] = ""
    prefixed_files: Annotated[tuple[str, ...], Meta(description="Files of its tree that need that prefix.")] = ()
    metrics_files: Annotated[
        tuple[str, ...], Meta(description="Files of its tree that are of use with `[router] metrics` alone.")
    ] = ()
    digest_files: Annotated[
        tuple[str, ...], Meta(description="Files of its tree that are of use with `[router] api_key_sha256` alone.")
    ] = ()
    shared_files: Annotated[
        tuple[str, ...], Meta(description="Files of its tree that every mode has in common: they name no route.")
    ] = ()
    internal_ports: Annotated[
        tuple[int, ...], Meta(description="Ports that its container listens on for itself, on its own loopback.")
    ] = ()
    reads: Annotated[
        tuple[str, ...],
        Meta(description="Fields of a tier, besides `served_name`, that its files say: they can be no variables."),
    ] = ()
    health: Health
    metrics: Metrics | None = None
    defaults: Annotated[
        Mapping[str, Any], Meta(description="Defaults of `[router]`, over those of `templates/defaults.toml`.")
    ] = {}
    variables: Annotated[Mapping[str, Any], Meta(description="Values for its own templates.")] = {}
    targets: Annotated[
        Mapping[str, Mapping[str, Any]],
        Meta(description="Target, a folder of `targets/` -> values that are others there."),
    ] = {}
