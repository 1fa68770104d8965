"""The requirements of a mode's services, read from their rendered files.

The files are read as rendered in memory, not from disk, so that a host can be checked before anything is written; that
the disk has the same files is a check of its own.
"""

from __future__ import annotations

import os.path
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.resolve.compose_keys import by_name, long_mount, named_files, published_ports
from anvil_gen.resolve.model import EXPERIMENT_FILE, Mode, Stack, Tier, Tree
from anvil_gen.resolve.root_files import included
from anvil_gen.text.interpolation import fill_all, unset_variables
from anvil_gen.values import KeyPath


class BindMount(Struct, frozen=True, kw_only=True):
    """A file or folder that is mounted.

    ``generated``: one of the tree's own, its source relative to the tree; any other is absolute. ``created``: by
    Docker, if it does not exist.
    """

    source: str
    target: str
    read_only: bool
    generated: bool
    created: bool = False


class Requirements(Struct, frozen=True, kw_only=True):
    """The requirements of one service.

    ``volumes`` and ``networks`` are external ones, ``volumes_at`` all volumes by where they are mounted, all as
    Docker names them. ``ports`` are host addresses and numbers. ``variables`` have no default: name, and whether
    Compose refuses the file without it. ``table`` is its table in the inventory, ``engine`` is empty for what is
    neither tier nor experiment, and ``tier`` is None for what is not a tier.
    """

    service: str
    table: KeyPath
    engine: str
    container_name: str
    image: str
    built: bool
    binds: tuple[BindMount, ...]
    volumes: tuple[str, ...]
    volumes_at: Mapping[str, str]
    networks: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    variables: tuple[tuple[str, bool], ...]
    tier: Tier | None

    @property
    def name(self) -> str:
        """Its name in the inventory: that of its tier if it is one."""
        return self.tier.name if self.tier is not None else self.service


def requirements_of(
    stack: Stack, mode: Mode, tree: Tree, values: Mapping[str, str], output: Path
) -> list[Requirements]:
    """Return the requirements of each service of a mode, with the ``values`` of the variables.

    Includes services that a template adds to a tier.
    """
    tiers = {f"tiers/{tier.name}.yml": tier for tier in mode.tiers}
    found = []
    for path, base in included(tree.data[mode.root_file]):
        folder, _, name = path.removesuffix(".yml").partition("/")
        tier = tiers.get(path)
        file = _File(
            project=stack.project,
            path=path,
            base=base,
            tree=tree,
            output=output,
            values=values,
            table=("router",) if path == mode.router_file else (folder, name),
            engine=str(tier.engine) if tier is not None else "",
        )
        for service in file.data["services"]:
            own = tier if tier is not None and tier.service.name == service else None
            found.append(_service_requirements(file, service, own))
    return found


def slot_requirements(stack: Stack, tree: Tree, values: Mapping[str, str], output: Path) -> Requirements | None:
    """Return the requirements of the experiment slot before a trial; None without a slot.

    Name, port and variables depend on the trial.
    """
    if stack.experiment is None:
        return None
    file = _File(
        project=stack.experiment.project,
        path=EXPERIMENT_FILE,
        tree=tree,
        output=output,
        values=values,
        table=("experiment",),
        engine=str(stack.experiment.engine),
    )
    return replace(_service_requirements(file, stack.experiment.service.name, None), ports=(), variables=())


class _File(Struct, frozen=True, kw_only=True):
    """A rendered file with services, the values of its variables, and its table in the inventory."""

    project: str
    path: str
    base: str = ""  # the folder that its relative paths are from, as the tree has it
    tree: Tree
    output: Path  # the folder of the tree
    values: Mapping[str, str]
    table: KeyPath
    engine: str

    @property
    def data(self) -> Mapping[str, Any]:
        """What the file has."""
        found: Mapping[str, Any] = self.tree.data[self.path]
        return found


def _service_requirements(file: _File, name: str, tier: Tier | None) -> Requirements:
    service = file.data["services"][name]
    config = fill_all(service, file.values)
    mounts = [long_mount(mount) for mount in config.get("volumes") or ()]
    declared, networks, secrets, configs = (fill_all(file.data.get(section) or {}, file.values) for section in DECLARED)
    files = list(_files(config, {"secrets": secrets, "configs": configs}))
    return Requirements(
        service=name,
        table=file.table,
        engine=file.engine,
        container_name=str(config.get("container_name") or f"{file.project}-{name}-1"),
        image=str(config.get("image", f"{file.project}-{name}")),  # empty where its variable is not set
        built="build" in config,
        binds=tuple(_bind(mount, file) for mount in (*mounts, *map(_mount_of, files)) if mount["type"] == "bind"),
        volumes=tuple(_external(mounts, declared)),
        volumes_at={
            str(mount["target"]): _docker_name(str(mount["source"]), declared, file.project)
            for mount in mounts
            if mount["type"] == "volume"
        },
        networks=tuple(
            _docker_name(name, networks, file.project)
            for name in config.get("networks") or ("default",)
            if (networks.get(name) or {}).get("external")
        ),
        ports=tuple((address, number) for _, address, number in published_ports(config.get("ports"))),
        variables=tuple(dict(sorted([*_unset(service, file.values), *_unset_files(files, file.values)])).items()),
        tier=tier,
    )


def _files(
    config: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the secrets and configs that a service is given: its usual place in the container, and what it is."""
    for section, folder in (("secrets", "/run/secrets/"), ("configs", "/")):
        for name in named_files(config, section):
            yield f"{folder}{name}", declared[section].get(name) or {}


def _mount_of(file: tuple[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the mount by which a container gets a secret or config; of a file alone, one of the host."""
    target, keys = file
    kind = "bind" if "file" in keys else ""
    return {"type": kind, "source": keys.get("file", ""), "target": target, "read_only": True}


def _unset_files(
    files: Iterable[tuple[str, Mapping[str, Any]]], values: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """Yield the variables without a value that are secrets or configs."""
    names = (str(one["environment"]) for _, one in files if "environment" in one)
    yield from ((name, False) for name in names if not values.get(name))


def _bind(mount: Mapping[str, Any], file: _File) -> BindMount:
    source = str(mount["source"])
    is_relative = not is_absolute(source) and not source.startswith("~")
    place = posixpath.normpath((file.output / file.base / source).as_posix())
    in_tree = Path(os.path.relpath(place, file.output)).as_posix() if is_relative else ""
    generated = any(path == in_tree or path.startswith(f"{in_tree}/") for path in file.tree.files if in_tree)
    if generated:
        source = in_tree
    elif is_relative:
        source = place
    elif source.startswith("~"):
        source = str(Path(source).expanduser())
    return BindMount(
        source=source,
        target=str(mount["target"]),
        read_only=bool(mount.get("read_only")),
        generated=generated,
        created=bool((mount.get("bind") or {}).get("create_host_path")),
    )


def _docker_name(source: str, declared: Mapping[str, Any], project: str) -> str:
    """Return what Docker calls a volume or a network."""
    keys = declared.get(source) or {}
    return str(keys.get("name") or (source if keys.get("external") else f"{project}_{source}"))


def _external(mounts: list[dict[str, Any]], declared: Mapping[str, Any]) -> Iterator[str]:
    for source in dict.fromkeys(str(mount["source"]) for mount in mounts if mount["type"] == "volume"):
        volume = declared.get(source) or {}
        if volume.get("external"):
            yield str(volume.get("name") or source)


def _unset(value: Any, values: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield the variables without a value or a default, however deep."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "environment":
                yield from ((name, False) for name in _passed_on(item) if not values.get(name))
            if key == "image":  # nothing runs without an image, although Compose accepts an empty one
                yield from ((name, True) for name, _ in unset_variables(str(item), values))
                continue
            yield from _unset(item, values)
    elif isinstance(value, list):
        for item in value:
            yield from _unset(item, values)
    elif isinstance(value, str):
        yield from unset_variables(value, values)


def _passed_on(environment: Any) -> Iterator[str]:
    """Yield the variables that are passed on by name only."""
    named = by_name(environment)
    yield from (name for name, value in named.items() if value is None) if isinstance(named, Mapping) else ()
