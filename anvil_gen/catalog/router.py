"""The data of a router: `templates/routers/<name>/router.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.engine import Health
from anvil_gen.inventory.fields import Task


class RouterKind(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A router, from ``templates/routers/<name>/router.toml``; its ``tree/`` is laid into the deploy tree."""

    title: str
    docs: str
    tasks: tuple[Task, ...]
    """Tasks that it routes, by the served name."""
    alias_tasks: tuple[Task, ...]
    """Those of them that it routes by aliases as well."""
    case_sensitive: bool
    capabilities: tuple[str, ...] = ()
    """What it can do, of `anvil_gen.capabilities`."""
    limits: Mapping[str, str] = {}
    """What it cannot do -> what happens instead."""
    name_pattern: str = ""
    """What model names it can tell apart, where that is not every name; ``name_help`` says it in words."""
    name_help: str = ""
    names_limit: int | None = None
    """Bytes of the longest list of models that it can answer with."""
    api_base: str = ""
    """The only path below which it can reach a tier's API; empty where it can reach any."""
    reserved_variables: tuple[str, ...] = ()
    """Variables of its container that cannot hold the clients' key."""
    project_prefix: str = ""
    """What a project's name must start with for ``prefixed_files`` to be of use."""
    prefixed_files: tuple[str, ...] = ()
    health: Health
    defaults: Mapping[str, Any] = {}
    variables: Mapping[str, Any] = {}
