"""A further service of the host: Compose's own keys, `files` and `standby`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anvil_gen.resolve.compose_key_checks import KEYS_OF_OURS
from anvil_gen.resolve.compose_keys import compose_form, long_mount, with_image
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import ExtraService, TreeFile
from anvil_gen.resolve.mounts import report_taken
from anvil_gen.resolve.networks import declared_by
from anvil_gen.resolve.relative_paths import in_tree, move_to, moved_keys, with_context
from anvil_gen.resolve.selinux import SHARED
from anvil_gen.resolve.tier import copied_files, file_labels, source_of
from anvil_gen.values import KeyPath

_FOLDER = "services"


def build_extras(context: ResolveContext) -> tuple[ExtraService, ...]:
    """Return the further services; their errors go to the collector."""
    return tuple(_build(context, name, table) for name, table in context.inventory.services.items())


def _build(context: ResolveContext, name: str, table: Mapping[str, Any]) -> ExtraService:
    path: KeyPath = ("services", name)
    files = copied_files(context, _files(context, table, path), path, f"{_FOLDER}/{name}")
    _check_places(context, table, path, files)
    keys = with_image({key: value for key, value in table.items() if key not in KEYS_OF_OURS}, context.lock)
    keys = _with_files(context, moved_keys(with_context(keys), move_to(context, _FOLDER)), files)
    return ExtraService(
        name=name,
        mapping=compose_form(keys),
        declared=declared_by(context, keys, folder=_FOLDER, whole=True),
        files=tuple(files.values()),
        standby=_standby(context, table, path),
    )


def _standby(context: ResolveContext, table: Mapping[str, Any], path: KeyPath) -> bool:
    written = table.get("standby", False)
    if not isinstance(written, bool):
        context.collector.add("wrong-type", (*path, "standby"), "it is neither true nor false", "write standby = true")
    return written is True


def _files(context: ResolveContext, table: Mapping[str, Any], path: KeyPath) -> dict[str, str]:
    """Return the entries of ``files`` that have the form which they have in a tier."""
    files = table.get("files", {})
    remedy = 'write a path in the container and one of a file: files."/etc/x.conf" = "files/x.conf"'
    if not isinstance(files, dict):
        context.collector.add("wrong-type", (*path, "files"), "it is no table", remedy)
        return {}
    for target, source in files.items():
        if not isinstance(source, str) or not source or not target.startswith("/"):
            context.collector.add("invalid-form", (*path, "files", target), "", remedy, key=True)
    return {
        target: source
        for target, source in files.items()
        if isinstance(source, str) and source and target.startswith("/")
    }


def _check_places(
    context: ResolveContext, table: Mapping[str, Any], path: KeyPath, files: Mapping[str, TreeFile]
) -> None:
    """Report files at a place where the service mounts something else."""
    mounts = table.get("volumes")
    for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
        target = long_mount(mount if isinstance(mount, Mapping) else str(mount))["target"]
        if isinstance(target, str) and target in files:
            report_taken(context, (*path, "files", target), (*path, "volumes", index))


def _with_files(context: ResolveContext, keys: dict[str, Any], files: Mapping[str, TreeFile]) -> dict[str, Any]:
    """Return a service that mounts files of the tree and has their digests in its labels."""
    if not files:
        return keys
    move = in_tree(context, _FOLDER)
    mounts = [
        {
            "type": "bind",
            "source": move(source_of(file)),
            "target": target,
            "read_only": True,
            "bind": {"create_host_path": False, **({"selinux": SHARED} if context.selinux else {})},
        }
        for target, file in files.items()
    ]
    labels, volumes = keys.get("labels", {}), keys.get("volumes", [])
    if isinstance(labels, list):
        labels = [*labels, *(f"{name}={value}" for name, value in file_labels(files))]
    elif isinstance(labels, dict):
        labels = {**labels, **dict(file_labels(files))}
    return {**keys, "volumes": [*volumes, *mounts] if isinstance(volumes, list) else volumes, "labels": labels}
