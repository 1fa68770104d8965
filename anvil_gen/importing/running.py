"""Containers that serve models already, whatever started them: by the engines' own data, as an import knows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.rendered_file import is_rendered
from anvil_gen.importing.recognise import engine_of
from anvil_gen.machine.containers import Container, container_listing
from anvil_gen.machine.docker import Docker


class RunningServer(Struct, frozen=True, kw_only=True):
    """A running container of an engine; ``source`` is what an import calls it: its project, or its own name."""

    container: str
    engine: str
    source: str


def running_servers(docker: Docker, catalog: Catalog) -> tuple[RunningServer, ...]:
    """Return the containers that run an engine, but those of rendered trees.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    return tuple(_servers(container_listing(docker), catalog))


def _servers(containers: list[Container], catalog: Catalog) -> Iterator[RunningServer]:
    for one in containers:
        config = one.raw.get("Config") or {}
        service = {"image": one.image, "entrypoint": config.get("Entrypoint"), "command": config.get("Cmd")}
        name = engine_of(catalog, one.name, service)
        engine = catalog.engine(name) if name else None
        if engine is not None and not any(is_rendered(Path(file)) for file in one.files):
            yield RunningServer(container=one.name, engine=engine.title, source=one.project or one.name)
