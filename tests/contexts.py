"""One step of resolving an inventory: a text goes in, the step is done on what it says, its faults come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inventories import Fault, told_beside, without_marks

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model_server import resolve_server
from anvil_gen.resolve.options import TierOptions

SCHEMA = "schema = 1\n"


def context_of(text: str) -> ResolveContext:
    """Return the context of an inventory, which is nowhere on disk, with its GPUs as they are written."""
    host = Host(Path("hosts/box.toml"), Catalog(), text=SCHEMA + text)
    defaults = host.catalog.defaults["gpu"]
    return ResolveContext(
        inventory=host.inventory,
        catalog=host.catalog,
        collector=host.collector,
        platform=host.options.platform,
        gpu_request=host.options.gpu_request,
        gpus={
            name: Gpu(**{"name": name, **defaults, **set_fields(table)}) for name, table in host.inventory.gpus.items()
        },
        folder=host.path.parent,
        output=host.output,
        sealed=host.options.egress == "deny",
    )


def server_of(context: ResolveContext, name: str = "one") -> TierServer:
    """Return a tier with its options resolved, and not yet laid out."""
    return resolve_server(context, TierOptions, context.inventory.tiers[name], ("tiers", name), {"name": name})


def step_compared(
    marked: str, step: Callable[[ResolveContext], object], expected: Sequence[Fault]
) -> tuple[list[object], list[object]]:
    """Return what one step tells of a marked text beside what it should: each fault once, at its mark, and no other."""
    text, places = without_marks(SCHEMA + marked)
    context = context_of(text.removeprefix(SCHEMA))
    step(context)
    return told_beside(context.collector.diagnostics, places, expected)
