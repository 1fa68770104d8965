"""The checks of Compose's own keys, each table for itself: overrides, services, volumes and networks."""

from __future__ import annotations

from typing import Any

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import check_free_values, own_key_tables
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.server_checks import report_secrets
from anvil_gen.values import KeyPath


def check_own_keys(collector: Collector) -> None:
    """Report what Compose would refuse, or read otherwise, in the tables in its own keys."""
    check_free_values(collector)
    tables = list(own_key_tables(collector.document.data))
    declared = {kind: collector.document.data.get(kind) for kind in ("volumes", "networks")}
    if not any(table for _, table in tables) and not any(declared.values()):
        return
    # Only who writes such keys needs them.
    from anvil_gen.inventory import compose_spec  # noqa: PLC0415
    from anvil_gen.inventory.own_keys import check_types  # noqa: PLC0415
    from anvil_gen.resolve.own_key_forms import form_errors  # noqa: PLC0415

    for path, table in tables:
        override = path[-1] == "override"
        check_types(collector, path, table, compose_spec.Service, override=override)
        for where, detail, remedy in form_errors(table):
            if not collector.is_dropped((*path, *where)):
                collector.add("invalid-form", (*path, *where), detail, remedy)
        if not override:
            _check_service(collector, path, table)
    for name, kind in (("volumes", compose_spec.Volume), ("networks", compose_spec.Network)):
        entries = declared[name]
        for key, table in entries.items() if isinstance(entries, dict) else ():
            if isinstance(table, dict):
                check_types(collector, (name, key), table, kind, override=False)


def _check_service(collector: Collector, path: KeyPath, table: dict[str, Any]) -> None:
    """Report what only a service that is no part of another can lack, and secrets that it writes out."""
    environment = table.get("environment")
    named = by_name(environment)
    if isinstance(named, dict):
        report_secrets(collector, (*path, "environment"), named)
    if not table.get("image") and not table.get("build") and not isinstance(table.get("extends"), dict):
        remedy = 'write image = "…", or build'
        collector.missing_key(path, "image", remedy) if "image" not in table else collector.add(
            "invalid-form", (*path, "image"), "it is empty", remedy
        )
