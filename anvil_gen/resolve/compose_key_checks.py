"""The checks of Compose's own keys, each table for itself: overrides, services, volumes and networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import check_free_values, own_key_tables, server_tables
from anvil_gen.values import KeyPath

KEYS_OF_OURS = ("files", "standby")
"""Keys of a table in `[services]` that are none of Compose's."""


def check_own_keys(collector: Collector) -> None:
    """Report what Compose would refuse, or read otherwise, in the tables in its own keys."""
    check_free_values(collector)
    tables = [
        (path, table) for path, table in own_key_tables(collector.document.data) if table or path[0] == "services"
    ]
    fields = [
        (path, found) for path, table in server_tables(collector.document.data) if (found := _compose_keys(table))
    ]
    if not tables and not fields:
        return
    # Only who writes such keys needs them.
    from anvil_gen.inventory import compose_spec  # noqa: PLC0415
    from anvil_gen.inventory.compose_decode import check_types  # noqa: PLC0415
    from anvil_gen.resolve.own_key_forms import declared_errors, form_errors  # noqa: PLC0415

    for path, keys in fields:
        check_types(
            collector, path, {key: keys[key] for key in keys if key == "build"}, compose_spec.Service, override=False
        )
        _add_forms(collector, path, form_errors(keys))
    declared = {
        "volumes": compose_spec.Volume,
        "networks": compose_spec.Network,
        "secrets": compose_spec.Secret,
        "configs": compose_spec.Config,
    }
    for path, table in tables:
        is_override, kind = path[0] not in ("services", *declared), declared.get(str(path[0]))
        keys = {key: value for key, value in table.items() if path[0] != "services" or key not in KEYS_OF_OURS}
        check_types(collector, path, keys, kind or compose_spec.Service, override=is_override)
        _add_forms(collector, path, form_errors(table) if kind is None else declared_errors(str(path[0]), table))
        if path[0] == "services":
            _check_service(collector, path, table)


def _compose_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a table of ours that are Compose's own, in its own form."""
    return {key: table[key] for key in ("build", "healthcheck", "networks", "ports") if key in table}


def _add_forms(collector: Collector, path: KeyPath, errors: Iterable[tuple[KeyPath, str, str]]) -> None:
    for where, detail, remedy in errors:
        if not any(collector.is_dropped((*path, *where[:end])) for end in range(1, len(where) + 1)):
            collector.add("invalid-form", (*path, *where), detail, remedy)


def _check_service(collector: Collector, path: KeyPath, table: dict[str, Any]) -> None:
    """Report what only a service that is no part of another can lack."""
    if not table.get("image") and not table.get("build") and not isinstance(table.get("extends"), dict):
        remedy = 'write image = "…", or build'
        collector.missing_key(path, "image", remedy) if "image" not in table else collector.add(
            "invalid-form", (*path, "image"), "it is empty", remedy
        )
