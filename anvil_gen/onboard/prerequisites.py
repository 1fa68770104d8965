"""What a host lacks to run its models, each with the commands that install it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.catalog.template_tree import ONBOARD
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.inventory.fields import Platform
from anvil_gen.inventory.toml_file import Document
from anvil_gen.machine.docker import INSTALL_DOCS
from anvil_gen.machine.docker_info import OLDEST_COMPOSE, DockerInfo, is_older
from anvil_gen.onboard.detect import DetectedMachine, MachineAccess, listing_failed

if TYPE_CHECKING:
    from anvil_gen.catalog.catalog import Catalog

_COMPOSE_DOCS = "https://docs.docker.com/compose/install/"


def missing_prerequisites(found: DetectedMachine, catalog: Catalog, at: MachineAccess) -> list[Diagnostic]:
    """Return a warning for each thing that is missing."""
    install = Document(shipped_templates() / ONBOARD / "install.toml").data
    names = _distribution(at.root)
    return [*_docker(found.docker, found.platform, install, names), *_gpus(found, catalog, at, install, names)]


def in_the_way(found: DetectedMachine, imported: Collection[str] = ()) -> Iterator[Diagnostic]:
    """Yield a warning for each project of Compose that runs: what it holds is not free for models.

    One that is ``imported``, by its name or a file, goes on under the same name.
    """
    files = {os.path.realpath(source) for source in imported}
    for one in found.projects:
        if one.name in imported or files & set(one.files.split(",")):
            continue
        stop = f"docker compose --project-name {shlex.quote(one.name)} stop"
        yield Diagnostic(
            code="compose-project-runs-already",
            detail=f"{one.name}, of {one.files}: {one.status}; its names, ports and GPUs are not free meanwhile",
            remedy="services that are no models can go into [services] as they are (docs/recipes.md); "
            f"if it serves models, stop it before `up`:\n\n    {stop}",
            severity="warning",
        )


def _docker(
    docker: DockerInfo, platform: Platform | None, install: Mapping[str, Any], names: list[str]
) -> Iterator[Diagnostic]:
    if docker.diagnostic is not None:
        diagnostic = structs.replace(docker.diagnostic, severity="warning")
        if not docker.client:
            remedy = _commands(install["docker"], names, INSTALL_DOCS)
            desktop = "enable Docker Desktop's integration for this distribution, or " if platform == "wsl2" else ""
            diagnostic = structs.replace(diagnostic, remedy=f"{desktop}install it, then log in again:\n\n{remedy}")
        yield diagnostic
    elif not docker.compose or is_older(docker.compose, OLDEST_COMPOSE):
        detail = f"{docker.compose or 'none'} is installed; 2.20 or newer is required"
        remedy = f"install it:\n\n{_commands(install['compose'], names, _COMPOSE_DOCS)}"
        yield Diagnostic(code="docker-compose-is-missing", detail=detail, remedy=remedy, severity="warning")


def _gpus(
    found: DetectedMachine, catalog: Catalog, at: MachineAccess, install: Mapping[str, Any], names: list[str]
) -> Iterator[Diagnostic]:
    platform = found.platform or "linux"
    for listing in found.machine.listings:
        data = catalog.vendor(listing.vendor)
        if data is None:
            continue
        if listing_failed(listing, catalog, at):
            remedy = data.driver.get(platform, "").strip()
            code = "gpus-cannot-be-listed"
            yield Diagnostic(code=code, detail=listing.diagnostic, remedy=remedy, severity="warning")
        runtime = data.runtime
        if not set(listing.gpus) & set(found.gpus) or runtime is None or at.root is None:
            continue
        known = found.docker.info.get("Runtimes") or {}
        devices = [device for device in runtime.devices if not (at.root / device.lstrip("/")).exists()]
        named = bool(runtime.runtimes or runtime.programs)
        is_installed = known.keys() & set(runtime.runtimes) or any(map(at.which, runtime.programs))
        if not is_installed if named else devices:
            install_commands = _commands(install.get("runtimes", {}).get(listing.vendor, {}), names, "")
            setup = runtime.install.get(platform, "").strip()
            yield Diagnostic(
                code="containers-cannot-access-the-gpus-yet",
                detail=f"the {runtime.title} is missing",
                remedy=f"{install_commands}\n{setup.rpartition(chr(10))[2]}"
                if install_commands and platform == "linux"
                else setup,
                severity="warning",
            )


def _distribution(root: Path | None) -> list[str]:
    """Return the names of a host's distribution, the most specific first: ``ubuntu-24``, ``ubuntu``, ``debian``."""
    try:
        text = (root / "etc/os-release").read_text("utf-8") if root is not None else ""
    except OSError:
        text = ""
    fields = {
        key: " ".join(shlex.split(value))
        for key, _, value in (line.partition("=") for line in text.splitlines() if "=" in line)
    }
    name = fields.get("ID", "")
    return [f"{name}-{fields.get('VERSION_ID', '').partition('.')[0]}", name, *fields.get("ID_LIKE", "").split()]


def _commands(table: Mapping[str, str], names: list[str], otherwise: str) -> str:
    """Return the commands for a distribution, each on its own indented line."""
    text = next((table[name] for name in names if name in table), otherwise)
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
