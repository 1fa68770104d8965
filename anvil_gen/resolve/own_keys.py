"""The checks of Compose's own keys, each table for itself: overrides, services, volumes and networks."""

from __future__ import annotations

from typing import Any

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import check_free_values, own_key_tables
from anvil_gen.values import KeyPath


def check_own_keys(collector: Collector) -> None:
    """Report what Compose would refuse, or read otherwise, in the tables in its own keys."""
    check_free_values(collector)
    tables = [
        (path, table) for path, table in own_key_tables(collector.document.data) if table or path[0] == "services"
    ]
    if not tables:
        return
    # Only who writes such keys needs them.
    from anvil_gen.inventory import compose_spec  # noqa: PLC0415
    from anvil_gen.inventory.own_keys import check_types  # noqa: PLC0415
    from anvil_gen.resolve.own_key_forms import form_errors  # noqa: PLC0415

    declared = {"volumes": compose_spec.Volume, "networks": compose_spec.Network}
    for path, table in tables:
        is_override, kind = path[0] not in ("services", *declared), declared.get(str(path[0]))
        keys = {key: value for key, value in table.items() if path[0] != "services" or key != "files"}  # our own key
        check_types(collector, path, keys, kind or compose_spec.Service, override=is_override)
        for where, detail, remedy in form_errors(table) if kind is None else ():
            if not collector.is_dropped((*path, *where)):
                collector.add("invalid-form", (*path, *where), detail, remedy)
        if path[0] == "services":
            _check_service(collector, path, table)


def _check_service(collector: Collector, path: KeyPath, table: dict[str, Any]) -> None:
    """Report what only a service that is no part of another can lack."""
    if not table.get("image") and not table.get("build") and not isinstance(table.get("extends"), dict):
        remedy = 'write image = "…", or build'
        collector.missing_key(path, "image", remedy) if "image" not in table else collector.add(
            "invalid-form", (*path, "image"), "it is empty", remedy
        )
