"""The comments of a source, at the keys of the inventory that say what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anvil_gen.importing.assemble import Assembled, Choice
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.service_mounts import read_mount
from anvil_gen.importing.source_paths import Move
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.text.masking import mask_text
from anvil_gen.values import KeyPath

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "command": ("model", "command", "flags"),
    "ports": ("port", "ports"),
    "volumes": ("mounts",),
    "deploy": ("gpus", "deploy"),
    "healthcheck": ("healthcheck",),
    "env_file": ("env_file",),
}
"""Key of Compose -> the fields of a tier of which the first that is there takes its comments."""


def placed_comments(project: Project, choices: Iterable[Choice], assembled: Assembled) -> dict[KeyPath, list[str]]:
    """Return the comments of a source by the keys of its inventory."""
    by_service = {choice.service: choice for choice in choices}
    found: dict[KeyPath, list[str]] = {}
    for path, lines in project.comments.items():
        place = _place(project, by_service, assembled.data, path)
        found.setdefault(place, []).extend(mask_text(line) for line in lines)
    return found


def _place(project: Project, choices: Mapping[str, Choice], data: Mapping[str, Any], path: KeyPath) -> KeyPath:
    """Return the key of the inventory that a key of the source has become; the file's head where there is none."""
    if len(path) < 2 or path[0] not in ("services", *DECLARED):
        return ()
    choice = choices.get(str(path[1]))
    if path[0] != "services" or choice is None:
        return _known(data, path)
    table: KeyPath = (choice.section, choice.name if choice.section == "tiers" else choice.service)
    if choice.section == "services":
        return _known(data, (*table, *path[2:]))
    return _known(data, (*table, *_field(project, path, _at(data, table))))


def _field(project: Project, path: KeyPath, tier: Any) -> KeyPath:
    """Return the key of a tier that a key of a service has become."""
    if len(path) < 3:
        return ()
    key, entry = str(path[2]), path[3] if len(path) > 3 else None
    written = _at(project.tables, path[:4]) if entry is not None else None
    if key == "environment" and entry is not None:
        return ("environment", str(written).partition("=")[0] if isinstance(entry, int) else str(entry))
    if key == "volumes" and entry is not None:
        move = Move(folder=project.folder, way=".", inventory=project.folder)
        target = read_mount(written, move).target if isinstance(written, str | dict) else ""
        return ("mounts", target)
    fields = _FIELDS.get(key, (key,))
    return (next((one for one in fields if isinstance(tier, dict) and one in tier), key),)


def _known(data: Any, path: KeyPath) -> KeyPath:
    """Return the longest beginning of a key path that the inventory has."""
    end = 0
    for part in path:
        if not isinstance(data, dict) or part not in data:
            break
        data, end = data[part], end + 1
    return path[:end] if end > 1 else ()


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
    return value
