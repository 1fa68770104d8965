"""What a target is told by the inventory, and what of the inventory it cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.target import Target
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.left_out import is_variable, names
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model import Stack, Tier
from anvil_gen.values import KeyPath, address, fill_placeholders

CODE = "not-for-this-target"
_DEVICE_PLUGIN = "device-plugin"


class TargetRequest(Struct, frozen=True, kw_only=True):
    """A target by its name, with its data and what the inventory tells it: `options`, by the names of the schema."""

    name: str
    data: Target
    options: Mapping[str, Any]
    shares_base: bool = False  # what it has in common with other hosts is in a folder next to its own

    @property
    def claims_gpus(self) -> bool:
        """Whether GPUs are claimed one by one, and not counted."""
        return self.data.gpu_claims and self.options.get("gpu_request") != _DEVICE_PLUGIN


def resolve_target(host: Host, name: str) -> TargetRequest:
    """Return a target as a host's inventory wants it.

    Raises:
        DiagnosticError: there is no target of that name.
    """
    data = host.catalog.target(name)
    if data is None:
        detail, remedy = host.catalog.unknown("targets", name)
        written = host.collector.value_at(("host", "target")) == name
        location = host.collector.document.location(("host", "target")) if written else None
        raise DiagnosticError([Diagnostic(code="unknown-target", detail=detail, remedy=remedy, location=location)])
    defaults = fill_placeholders(
        host.catalog.defaults.get(name, {}), {"project": host.project.replace("_", "-"), "host": host.name}
    )
    table = getattr(host.inventory, name, None)
    return TargetRequest(name=name, data=data, options={**defaults, **(set_fields(table) if table is not None else {})})


class TargetErrors:
    """Reports what a target cannot say, but for what the inventory leaves out there."""

    def __init__(self, collector: Collector, request: TargetRequest) -> None:
        """Report to ``collector``."""
        self._collector = collector
        self._request = request

    def add(self, path: KeyPath, reason: str, remedy: str = "") -> None:
        """Report that a target cannot say what is at ``path``."""
        if not self.is_left_out(path):
            self._collector.add(CODE, path, f"{self._request.data.title}: {reason}", remedy or self.remedy(path))

    def add_unlike(self, path: KeyPath, reason: str, tier: KeyPath) -> None:
        """Report in what a host of a group is not what the others are."""
        alike = self._request.data.group.alike if self._request.data.group is not None else ""
        self.add(path, f"{alike}, and {reason}", f"make these hosts alike, or {self.remedy(tier)}")

    def remedy(self, path: KeyPath) -> str:
        """Return how what is at a path is left out."""
        return f'leave it out there: [{self._request.name}] without = ["{address(path)}"]'

    def is_left_out(self, path: KeyPath) -> bool:
        """Tell whether the inventory leaves out what is at a path, or something around it."""
        return any(names(pattern, path) for pattern in self._request.options.get("without", ()))


def check_target(host: Host, request: TargetRequest) -> None:
    """Report what of an inventory a target cannot say; errors go to the host's collector."""
    errors, data = TargetErrors(host.collector, request), request.data
    links = {host.ranks[tier.name].link_name for tier in host.stack.tiers if tier.rank is not None}
    own = [
        (path, value)
        for path, value in _places(host.collector.document.data, ())
        # A link of no group means nothing anywhere.
        if path[0] not in host.catalog.names("targets") and (path[0] != "links" or {*path[1:2]} & links)
    ]
    for pattern, reason in data.refused.items():
        for path in {path[: pattern.count(".") + 1]: None for path, _ in own if names(pattern, path)}:
            errors.add(path, reason)
    for path, value in own:
        known = (*data.secrets, *data.left_out, *data.refused)
        if is_variable(value) and not any(names(one, path) for one in known):
            errors.add(path, "Compose alone puts a variable in its place")
    for tier in host.stack.tiers:
        check_tier(host, request, tier)
    _check_router(host, request)
    check_device_plugin(host, request)


def check_tier(host: Host, request: TargetRequest, tier: Tier) -> None:
    """Report what of a tier a target cannot say."""
    pattern, errors = request.data.name_pattern, TargetErrors(host.collector, request)
    if pattern and not re.fullmatch(pattern, tier.service.name):
        remedy = f'set another "service": {request.data.name_help}'
        errors.add((*tier.table, "service"), f"{tier.service.name}: {request.data.name_help}", remedy)
    if tier.rank is not None and request.data.groups:
        errors.add(tier.table, request.data.groups)
    vendor = host.catalog.vendor(tier.gpu_request.vendor) if tier.gpu_request is not None else None
    if not request.data.gpu_claims or tier.gpu_request is None or vendor is None:
        return
    where = (*tier.table, "gpus")
    if vendor.claim is None:
        errors.add(where, f"nothing is known of a driver by which a GPU of {vendor.title} is claimed")
    elif not tier.gpu_request.has_uuids and request.options.get("gpu_request") != _DEVICE_PLUGIN:
        errors.add(where, "a claim selects GPUs by their UUIDs", "name each GPU, and set its uuid in [gpus]")


def check_device_plugin(host: Host, request: TargetRequest) -> None:
    """Report where any GPU of the node, for one container alone, is not what the inventory says."""
    if request.options.get("gpu_request") != _DEVICE_PLUGIN:
        return
    gpus = host.stack.gpus
    unlike = len({(gpu.vendor, gpu.memory_mib, gpu.compute_capability) for gpu in gpus}) > 1
    found = [f"it gives any GPU of the node, and {join_words(gpu.name for gpu in gpus)} are unlike"] if unlike else []
    found += [
        f"it gives a GPU to one container, and {gpu.name} is shared by {join_words(holders)}"
        for mode in host.stack.modes
        for gpu in gpus
        if len(holders := [tier.name for tier in mode.tiers if gpu in tier.gpus]) > 1
    ]
    for detail in dict.fromkeys(found):
        remedy = "leave it out: a claim selects each GPU by its UUID, with the driver of docs/kubernetes.md"
        host.collector.add(CODE, (request.name, "gpu_request"), detail, remedy)


def _check_router(host: Host, request: TargetRequest) -> None:
    router = host.stack.router
    if router is not None and router.image is None and not request.options["router_image"]:
        detail = f"{request.data.title} builds no image, and the router's is built"
        remedy = f"build and push it, then name it: router_image in [{request.name}]"
        host.collector.add("missing-key", ("router",), detail, remedy, key=True)


def with_target_variables(stack: Stack, host: Host, name: str) -> Stack:
    """Return a stack whose routers have the variables that are others for a target."""
    kind = host.catalog.router(stack.router.kind) if stack.router is not None else None
    own = kind.targets.get(name, {}) if kind is not None else {}
    modes = tuple(
        replace(mode, router=replace(mode.router, variables={**mode.router.variables, **own})) if mode.router else mode
        for mode in stack.modes
    )
    return replace(stack, modes=modes, router=modes[0].router) if own else stack


def _places(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every key of a document with its value; nothing below a variable."""
    if path:
        yield path, value
    if isinstance(value, dict) and not is_variable(value):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _places(item, (*path, at))
