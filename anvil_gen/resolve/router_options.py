"""What an inventory requests of its router: an error where that router does not support it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import UNSET

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.router import RouterKind
from anvil_gen.catalog.router_features import REQUESTABLE
from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.host_paths import is_absolute
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.options import RouterOptions
from anvil_gen.resolve.router_model import RouterLimits, Tls
from anvil_gen.text.units import parse_duration, parse_size
from anvil_gen.values import KeyPath

_LONGEST = 7 * 24 * 3600
# A body is buffered whole, and with its headers: what a request may have besides its body.
_HEADERS = 64 << 10
_LARGEST_BODY = 1 << 30


def check_supported(context: ResolveContext, kind: RouterKind, options: RouterOptions) -> None:
    """Report every requested feature that a router lacks, with the routers that have it."""
    for path, feature in _requested(options):
        check_feature(context, kind, path, feature)


def check_feature(context: ResolveContext, kind: RouterKind, path: KeyPath, feature: str) -> None:
    """Report a requested feature that a router lacks, with the routers that have it."""
    if feature not in kind.supports:
        what = kind.unsupported.get(feature, f"it has no {REQUESTABLE[feature]}")
        others = kinds_that(context.catalog, partial(_supports, feature))
        remedy = f"write {others}, or remove it" if others else "remove it"
        context.collector.add("not-for-this-router", path, f"{kind.title}: {what}", remedy, key=True)


def _supports(feature: str, kind: RouterKind) -> bool:
    return feature in kind.supports


def kinds_that(catalog: Catalog, suits: Callable[[RouterKind], bool]) -> str:
    """Return how an inventory names the routers that suit: ``kind = "a" or "b"``; an empty text where none does."""
    kinds = ((name, catalog.router(name)) for name in catalog.names("routers"))
    found = [f'"{name}"' for name, kind in kinds if kind is not None and suits(kind)]
    return f"kind = {' or '.join(found)}" if found else ""


def _requested(options: RouterOptions) -> Iterator[tuple[KeyPath, str]]:
    """Yield where ``[router]`` requests something, and the feature that it takes."""
    keys = options.api_key_env
    if not isinstance(keys, str | None) and len(keys) > 1:
        yield ("router", "api_key_env"), "clients"
    for name in ("api_key_sha256", "default_tier", "timeout", "body_limit", "tls", "fallbacks", "paths", "cors"):
        path = options.origin(name).path
        if path is not None and options.get(name):
            yield path, name
    if options.hosts:
        yield ("router", "hosts"), "hosts"
    if options.metrics is not None:
        yield ("router", "metrics"), "metrics_key" if options.metrics == "key" else "metrics_port"
    for tier, table in options.tiers.items():
        if table.timeout is not UNSET:
            yield ("router", "tiers", tier, "timeout"), "tier_timeout"
        if table.concurrency is not UNSET:
            yield ("router", "tiers", tier, "concurrency"), "concurrency"
        if table.sticky is not UNSET:
            yield ("router", "tiers", tier, "sticky"), "sticky"


def seconds_of(context: ResolveContext, duration: str, path: KeyPath) -> int:
    """Return a duration of the inventory in whole seconds; what is out of range is reported."""
    total = parse_duration(duration)
    if not 1 <= total <= _LONGEST:
        context.collector.add("number-out-of-range", path, f'"{duration}"', "write between 1s and 168h")
    return min(max(int(total), 1), _LONGEST)


def _bytes(context: ResolveContext, size: str | None, path: KeyPath) -> int | None:
    """Return a size of the inventory in bytes; what is out of range is reported."""
    if size is None:
        return None
    amount = int(parse_size(size))
    if not 1 << 10 <= amount <= _LARGEST_BODY:
        context.collector.add("number-out-of-range", path, f'"{size}"', 'write between "1k" and "1g"')
        amount = _LARGEST_BODY
    return amount


def router_limits(context: ResolveContext, options: RouterOptions) -> RouterLimits:
    """Return what a router keeps to; what is out of range is reported."""
    body, metrics = _bytes(context, options.body_limit, ("router", "body_limit")), options.metrics
    return RouterLimits(
        timeout=seconds_of(context, options.timeout, ("router", "timeout")),
        body_limit=body,
        body_buffer=None if body is None else body + _HEADERS,
        metrics_port=metrics if isinstance(metrics, int) else None,
        metrics_key=metrics == "key",
        tls=_tls(context, options),
        origins=tuple(options.cors),
        sealed=context.sealed,
    )


def _tls(context: ResolveContext, options: RouterOptions) -> Tls | None:
    """Return the certificate's files; relative paths are reported."""
    table = options.tls
    if table is None:
        return None
    for name in ("certificate", "key"):
        if not is_absolute(getattr(table, name)):
            remedy = "write it from the root on, as the host has it: it is no part of the tree"
            context.collector.add("not-an-absolute-path", ("router", "tls", name), f'"{getattr(table, name)}"', remedy)
    return Tls(certificate=table.certificate, key=table.key)


def check_tier(context: ResolveContext, name: str, path: KeyPath, *, key: bool = False) -> bool:
    """Return whether there is a tier of this name; that there is none is reported."""
    known = context.inventory.tiers
    if name in known:
        return True
    if known and not context.collector.is_dropped(("tiers", name)):
        remedy = did_you_mean(name, known) or "name one of them"
        detail = f'"{name}" is not a tier (defined: {join_words(known)})'
        context.collector.add("unknown-tier", path, detail, remedy, key=key)
    return False
