"""An inventory of the services of a project: a table for each, in the form that has been chosen for it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.importing.adoption import adopt, router_table
from anvil_gen.importing.alternatives import set_apart
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.engine_facts import usual_driver
from anvil_gen.importing.names import free_name
from anvil_gen.importing.secrets import Hidden, hide_secrets
from anvil_gen.importing.service_gpus import GpuNames
from anvil_gen.importing.service_mounts import read_mount
from anvil_gen.importing.source_paths import Move, has_relative_value, moved_text
from anvil_gen.importing.texts import value_of, without_newer, without_nulls
from anvil_gen.importing.tier import tier_of
from anvil_gen.importing.tier_command import Shared, TierRequest
from anvil_gen.inventory.fields import NAME_LENGTH
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.relative_paths import moved_keys, moved_volume, with_context

Form = Literal["fields", "words", "bare", "service", "left out"]
"""How a service is written, from what says most to what says least."""


class Choice(Struct, kw_only=True):
    """How one service is written.

    ``banned`` are fields of a tier that cannot say it; ``assumed`` are some that the source does not say, and that
    change nothing. ``refused`` is why the inventory did not take it in Compose's own keys.
    """

    service: str
    name: str
    engine: str
    forms: list[Form]
    banned: set[str]
    assumed: dict[str, Any] = {}
    refused: Diagnostic | None = None

    @property
    def form(self) -> Form:
        """The form that is tried."""
        return self.forms[0]

    @property
    def section(self) -> str:
        """The section of its table."""
        return "tiers" if self.form in ("fields", "words", "bare") else "services"


def bare_engine(catalog: Catalog) -> str:
    """Return the engine of which nothing is known: the tier has its whole command."""
    return next(name for name in catalog.names("engines") if (one := catalog.engine(name)) and one.own_command)


class Assembled(Struct, frozen=True, kw_only=True):
    """An inventory's data, and the services of its tables."""

    data: dict[str, Any]
    owners: Mapping[tuple[str, str], Choice]
    hidden: Hidden


def move_to(source: Path, inventory: Path) -> Move:
    """Return how a path relative to the source is written in an inventory."""
    folder = source.resolve()
    way = PurePath(os.path.relpath(folder, inventory.parent.resolve())).as_posix()
    return Move(folder=folder, way=way, inventory=inventory)


def tier_names(services: list[str]) -> dict[str, str]:
    """Return a tier's name for each service: its own, in lower case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for service in services:
        name = re.sub("[^a-z0-9._-]+", "-", service.lower()).strip("-._")[:NAME_LENGTH] or "tier"
        name = f"{name}-tier" if re.match(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", name) else name
        found[service] = free_name(name, taken)
        taken.add(found[service])
    return found


def assemble(
    catalog: Catalog,
    project: Project,
    choices: list[Choice],
    move: Move,
    *,
    name: str,
    known_gpus: Mapping[int, str],
    at_source: bool = False,
    adopted: Collection[str] = (),
) -> Assembled:
    """Return the inventory of a project with each service as it is chosen, and the offers that are adopted.

    ``at_source``: relative paths that are values of variables keep meaning the source's folder.
    """
    shared = Shared(gpus=GpuNames(tables={}, known=known_gpus, driver=usual_driver(catalog)))
    tiers: dict[str, Any] = {}
    services: dict[str, Any] = {}
    owners: dict[tuple[str, str], Choice] = {}
    for choice in choices:
        if choice.form == "left out":
            continue
        service = without_newer(without_nulls(project.tables["services"][choice.service]))
        if choice.section == "tiers":
            tiers[choice.name] = tier_of(catalog, _request(catalog, choice, service, move), shared)
            tiers[choice.name] |= choice.assumed if choice.form == "fields" else {}
            adopt(tiers[choice.name], adopted, shared.gpus)
            owners["tiers", choice.name] = choice
        else:
            services[choice.service] = own_service(service, move)
            owners["services", choice.service] = choice
    _name_container_ports(tiers)
    data: dict[str, Any] = {"schema": 1}
    host = {"project": project.name} if project.name != name else {}
    host |= {"project_directory": move(".")} if at_source else {}
    data |= {"host": host} if host else {}
    data |= {"hfcache": {"volume": shared.hub_volume}} if shared.hub_volume else {}
    data |= {"gpus": shared.gpus.tables} if shared.gpus.tables else {}
    data |= _declared(project, move)
    tables = {"tiers": tiers, "services": services}
    modes = set_apart({one.service: (part, one.name, tables[part][name]) for (part, name), one in owners.items()})
    defaults = _common(tiers)
    data |= {"defaults": defaults} if defaults else {}
    data |= {"tiers": tiers}
    data |= {"services": services} if services else {}
    if "router" in adopted:
        data |= {"router": router_table(tiers, services, catalog.defaults["router"]["port"])}
    data |= {"modes": modes} if modes else {}
    return Assembled(data=data, owners=owners, hidden=hide_secrets(data))


def _request(catalog: Catalog, choice: Choice, service: Mapping[str, Any], move: Move) -> TierRequest:
    form: Any = choice.form
    return TierRequest(
        name=choice.name,
        service_name=choice.service,
        service=service,
        engine=bare_engine(catalog) if form == "bare" else choice.engine,
        form=form,
        banned=frozenset(choice.banned),
        move=move,
    )


def own_service(service: Mapping[str, Any], move: Move) -> dict[str, Any]:
    """Return a service in Compose's own keys, its relative paths as the inventory's folder has them."""
    keys = {key: value for key, value in service.items() if not key.startswith("x-") and value is not None}
    environment = by_name(keys.get("environment"))
    if isinstance(environment, dict) and None not in environment.values():
        keys["environment"] = environment
    volumes = keys.pop("volumes", None)
    found: dict[str, Any] = dict(value_of(moved_keys(with_context(keys), lambda text: moved_text(text, move))))
    if isinstance(volumes, list):
        found["volumes"] = [read_mount(one, move).written for one in volumes]
    return found


def has_relative_values(project: Project, values: Mapping[str, str]) -> bool:
    """Tell whether something has a relative path that is the value of a variable."""
    tables = (project.tables[section] for section in ("services", "secrets", "configs"))
    return any(has_relative_value(one, values) for found in tables for one in found.values())


def _declared(project: Project, move: Move) -> dict[str, Any]:
    """Return what the services of a project name besides each other."""
    found: dict[str, Any] = {"networks": project.tables["networks"]}
    found["volumes"] = {name: moved_volume(table, move) for name, table in project.tables["volumes"].items()}
    for section in ("secrets", "configs"):
        tables = project.tables[section].items()
        found[section] = {name: moved_keys(table, lambda text: moved_text(text, move)) for name, table in tables}
    return {section: value_of(tables) for section, tables in found.items() if tables}


def _name_container_ports(tiers: Mapping[str, dict[str, Any]]) -> None:
    """Name the port in the container where several tiers have the same: each has to say that it is meant."""
    listens = {name: tier.get("container_port", tier["port"]) for name, tier in tiers.items() if "port" in tier}
    counts = Counter(port for port in listens.values() if isinstance(port, int))
    for name, port in listens.items():
        if isinstance(port, int) and counts[port] > 1:
            tiers[name]["container_port"] = port


def _common(tiers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Take what switches a default off in every tier out of them; return it for `[defaults]`."""
    found: dict[str, Any] = {}
    for key in _SWITCHES if tiers else ():
        off = first(tiers).get(key, _MISSING)
        if off in (False, []) and all(tier.get(key, _MISSING) == off for tier in tiers.values()):
            found[key] = off
            for tier in tiers.values():
                del tier[key]
    for table in ("environment", "flags"):
        found |= _common_entries(tiers, table) if tiers else {}
    return found


def _common_entries(tiers: Mapping[str, dict[str, Any]], table: str) -> dict[str, Any]:
    if table == "flags" and any(tier["engine"] != first(tiers)["engine"] for tier in tiers.values()):
        return {}
    all_entries = [tier.get(table) or {} for tier in tiers.values()]
    shared = [key for key in all_entries[0] if all(entries.get(key) is False for entries in all_entries)]
    for tier, entries in zip(tiers.values(), all_entries, strict=True):
        for key in shared:
            del entries[key]
        if table in tier and not entries:
            del tier[table]
    return {table: dict.fromkeys(shared, False)} if shared else {}


def first(tiers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the first of the tiers."""
    return next(iter(tiers.values()))


_MISSING = object()
_SWITCHES = (
    *("container_name", "restart", "init", "stop_grace_period", "ipc", "shm_size", "logging", "caches"),
    *("entrypoint", "healthcheck", "start_period", "security_opt", "cap_add", "cap_drop", "devices"),
)
