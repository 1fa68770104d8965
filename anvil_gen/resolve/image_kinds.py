"""The image of a model server beside its host and its GPUs, and what the image and its flags want of the container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.image_kind import kind_of
from anvil_gen.catalog.release import plain_image
from anvil_gen.diagnostics import join_words
from anvil_gen.resolve.context import AnyServer, ResolveContext
from anvil_gen.resolve.override_merge import REMOVED, Added, merge
from anvil_gen.resolve.uniqueness import option_location
from anvil_gen.values import Text, canonical_flag

CPU = "cpu"
"""Vendor of images for the processor."""
_OWN_CAPABILITIES = ("cap_add", "privileged")
_OWN_GPUS = ("deploy", "devices", "device_cgroup_rules", "gpus", "runtime", "privileged")
"""Keys of Compose by which a container may have GPUs that the inventory does not know."""


def entrypoint_of(engine: Engine, image: Text) -> tuple[str, ...]:
    """Return the program that a container starts; empty for the image's own."""
    kind = kind_of(engine.image_kinds, plain_image(image))
    return engine.entrypoint if kind is None or kind.entrypoint is None else kind.entrypoint


def engine_in(engine: Engine, image: Text) -> Engine:
    """Return an engine as it is in an image: with the places and variables that are peculiar to it."""
    kind = kind_of(engine.image_kinds, plain_image(image))
    if kind is None:
        return engine
    return replace(
        engine,
        hub_cache=kind.hub_cache or engine.hub_cache,
        caches=engine.caches if kind.caches is None else kind.caches,
        environment={**engine.environment, **kind.environment},
    )


def check_image(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report an image that is for other GPUs than the server's, or for another processor than the host's."""
    image = plain_image(server.image).partition("@")[0]
    kind = kind_of(engine.image_kinds, image)
    if kind is None:
        return
    path, key = option_location(server.options, "image", server.path)
    if kind.architectures and context.architecture not in kind.architectures:
        detail = f"{image} is for {join_words(kind.architectures)}, and the host has {context.architecture}"
        remedy = "leave image out, or name one for it; architecture of [host] says what the host has"
        context.collector.add("image-for-another-platform", path, detail, remedy, key=key)
    vendor = server.gpu_request.vendor if server.gpu_request is not None else CPU
    if server.options.image is None or kind.vendor in ("", vendor):
        return
    if vendor != CPU:
        detail = f"{image} is for {_named(kind.vendor)}, and the GPUs are of vendor {vendor}"
        remedy = "leave image out, or name one for them"
        context.collector.add("image-for-other-gpus", path, detail, remedy, key=key, severity="warning")
    elif (
        engine.image_cpu
        and not server.options.get(server.options.gpus_key)
        and not context.collector.is_dropped((*server.path, server.options.gpus_key))
        and not any(name in server.options.override for name in _OWN_GPUS)
    ):
        detail = f"{image} is for {_named(kind.vendor)}, and no GPU is named"
        remedy = f'name them, as in gpus = ["a"]; on the processor runs {engine.image_cpu}'
        context.collector.add("image-for-other-gpus", path, detail, remedy, key=key)


def _named(vendor: str) -> str:
    return "the processor" if vendor == CPU else f"GPUs of vendor {vendor}"


def with_needs(server: AnyServer, engine: Engine | None, override: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an override with what the image and the flags of a server want of the container below it."""
    if engine is None:
        return override
    kind = kind_of(engine.image_kinds, plain_image(server.image))
    needs: Mapping[str, Any] = kind.needs if kind is not None else {}
    for name, value in sorted(server.options.flags.items()):
        flag = canonical_flag(name)
        for key in (flag, f"{flag}={value}") if value is not False else ():
            needs = added_needs(needs, engine.flag_needs.get(key, {}))
    needs = added_needs(needs, server.rank_needs)
    own = any(key in override and not isinstance(override[key], Added) for key in _OWN_CAPABILITIES)
    if own or server.options.entrypoint is not None:
        # Nobody knows what another program wants, and an override's list replaces the one that says what is kept.
        needs = {key: value for key, value in needs.items() if key != "cap_drop"}
    return override if not needs else merge(needs, override, removed=REMOVED)


def added_needs(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of two needs: tables merge, and lists have the items of both."""
    return {**below, **{key: _both(below.get(key), value) for key, value in above.items()}}


def _both(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return added_needs(below, above)
    if isinstance(below, list) and isinstance(above, list):
        return list(dict.fromkeys([*below, *above]))
    return above
