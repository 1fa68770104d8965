"""What a compose file must hold, by the model's own fields, and the first key at which a parsed file differs.

What is expected is data. Of a mapping the file may have more entries; a list must be equal; of a tuple every item must
be among the file's, in any order; and a key that is `_ABSENT` must not be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.render.quoting import compose_string
from anvil_gen.resolve.gpu_model import Reservation
from anvil_gen.resolve.model import (
    GROUP_LABEL,
    ExtraService,
    HealthCheck,
    Logging,
    Mode,
    Mount,
    Networks,
    Router,
    Service,
    Stack,
)
from anvil_gen.resolve.override_merge import Added, merge
from anvil_gen.values import KeyPath, Text, VariableValue

_ABSENT = object()


def expected_service(catalog: Catalog, kind: str, model: Any) -> dict[str, Any]:
    """Return what the compose file of a service must hold.

    Args:
        catalog: knows how the GPUs of a vendor are pinned.
        kind: of the model: "service", "router" or "extra".
        model: a `Service`, `Router` or `ExtraService`.
    """
    return _KINDS[kind](catalog, model)


def expected_root(stack: Stack, mode: Mode) -> dict[str, Any]:
    """Return what the root file of a mode must hold."""
    files = [f"tiers/{tier.name}.yml" for tier in mode.tiers]
    files += [f"services/{extra.name}.yml" for extra in mode.services]
    found: list[Any] = [_included(path, stack) for path in files]
    found += [mode.router_file] if mode.router is not None and files else []
    return {"name": compose_string(stack.project), "include": tuple(found) or _ABSENT}


def _included(path: str, stack: Stack) -> Any:
    if not stack.project_directory:
        return path
    folder = compose_string(stack.project_directory)
    return {"path": path, "project_directory": folder, "env_file": "/dev/null"}


def first_difference(got: Any, want: Any) -> KeyPath | None:
    """Return the first key at which parsed data is not what is expected; None where all of it is."""
    if type(want) is str and type(got) is str:  # as most are
        return None if got == want else ()
    if isinstance(want, dict):
        return _mapping_difference(got, want) if isinstance(got, dict) else ()
    if isinstance(want, list):
        return _list_difference(got, want) if isinstance(got, list) and len(got) == len(want) else ()
    if isinstance(want, tuple):
        return None if isinstance(got, list | dict) and _has_all(list(got), want) else ()
    return None if _is_scalar(got, want) else ()


def _mapping_difference(got: Mapping[str, Any], want: Mapping[str, Any]) -> KeyPath | None:
    for key, item in want.items():
        if item is _ABSENT:
            found: KeyPath | None = () if key in got else None
        elif key in got:
            found = first_difference(got[key], item)
        else:
            found = first_difference({}, item) if item and isinstance(item, dict) else ()
        if found is not None:
            return (key, *found)
    return None


def _list_difference(got: Sequence[Any], want: Sequence[Any]) -> KeyPath | None:
    for place, item in enumerate(want):
        found = first_difference(got[place], item)
        if found is not None:
            return (place, *found)
    return None


def _has_all(got: Sequence[Any], want: Iterable[Any]) -> bool:
    """Tell whether each item is among what is there, where the next one is sought behind the one before."""
    start = 0
    for one in want:
        places = chain(range(start, len(got)), range(start))
        found = next((place for place in places if _matches(got[place], one)), None)
        if found is None:
            return False
        start = found + 1
    return True


def _matches(got: Any, want: Any) -> bool:
    return first_difference(got, want) is None


def _is_scalar(got: Any, want: Any) -> bool:
    """Tell whether a parsed value is the one that is expected, of the same type: `1` is neither `1.0` nor `true`."""
    kind = str if isinstance(want, str) else float if isinstance(want, float) else type(want)
    return type(got) is kind and (got == want or (got != got and want != want))  # noqa: PLR0124  two NaN are equal


def _forms(texts: Iterable[Text]) -> Any:
    """Return a list of texts; none where there are no texts, since the key is left out then."""
    return [compose_string(text) for text in texts] or _ABSENT


def _optional(text: Text | None) -> Any:
    return _ABSENT if text is None else compose_string(text)


def _common_keys(service: Service | Router) -> dict[str, Any]:
    """Return what a tier's service and a router have in common."""
    return {
        "container_name": _optional(service.container_name),
        "restart": _optional(service.restart),
        "init": True if service.init else _ABSENT,
        "stop_grace_period": _optional(service.stop_grace_period),
        "ports": _forms((*(port.spec for port in service.ports), *service.further_ports)),
        "healthcheck": _health(service.health) if service.health is not None else _ABSENT,
        "logging": _logging(service.logging) if service.logging is not None else _ABSENT,
    }


def _with_override(own: Mapping[str, Any], override: Mapping[str, Any]) -> Any:
    """Return what is expected with an override on top; what it adds to a list of the template is among the items."""
    lists: dict[str, Any] = {key: () for key, value in override.items() if isinstance(value, Added)}
    # A list is merged by name into a mapping that the file has: into none, it stays a list.
    there = {key: value for key, value in own.items() if value != {}}
    return _without_empty(merge({**lists, **there}, override, removed=_ABSENT))


def _health(health: HealthCheck) -> dict[str, Any]:
    return {
        "test": _forms(health.test),
        "disable": _ABSENT if health.disable is None else health.disable,
        "interval": _optional(health.interval),
        "timeout": _optional(health.timeout),
        "retries": _whole_number(health.retries),
        "start_period": _optional(health.start_period),
        "start_interval": _optional(health.start_interval),
    }


def _logging(logging: Logging) -> dict[str, Any]:
    options = {name: compose_string(value) for name, value in logging.options.items()}
    return {"driver": _optional(logging.driver), "options": options or _ABSENT}


def _whole_number(value: int | str | None) -> Any:
    """Return a number, or the word in its place, as a file has it."""
    if isinstance(value, VariableValue):
        return compose_string(value.reference)
    return _ABSENT if value is None else value


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "type": "volume" if mount.volume else "bind",
        "source": compose_string(mount.source),
        "target": compose_string(mount.target),
        "read_only": True if mount.read_only else _ABSENT,
        **({"volume": _volume(mount)} if mount.volume else {"bind": _bind(mount)}),
    }


def _volume(mount: Mount) -> Any:
    if not mount.nocopy and mount.subpath is None:
        return _ABSENT
    return {"nocopy": True if mount.nocopy else _ABSENT, "subpath": _optional(mount.subpath)}


def _bind(mount: Mount) -> dict[str, Any]:
    return {
        "create_host_path": mount.create,
        "selinux": _optional(mount.selinux),
        "propagation": _optional(mount.propagation),
    }


def _reservation(gpus: Reservation | None) -> dict[str, Any]:
    """Return how a service asks for GPUs; nothing where its vendor's template passes devices on."""
    if gpus is not None and not (gpus.driver or gpus.runtime):
        return {}
    devices: Any = _ABSENT
    if gpus is not None and gpus.driver:
        count = _whole_number(gpus.count)
        devices = [{"driver": gpus.driver, "device_ids": _forms(gpus.device_ids), "count": count}]
    runtime = {"runtime": gpus.runtime} if gpus is not None and gpus.runtime else {}
    return {"deploy": {"resources": {"reservations": {"devices": devices}}}, **runtime}


def _networks(networks: Networks) -> dict[str, Any]:
    names = [*networks] if isinstance(networks, tuple) else networks
    return {"networks": names} if names else {}


def _expected_service(catalog: Catalog, service: Service) -> dict[str, Any]:
    environment = {variable.name: _optional_value(variable.value) for variable in service.environment}
    labels = {name: compose_string(value) for name, value in service.labels}
    labels |= {GROUP_LABEL: service.group} if service.group else {}
    own = {
        **_common_keys(service),
        "image": compose_string(service.image) if service.image else _ABSENT,
        "build": dict(service.build) or _ABSENT,
        "env_file": _env_files(service),
        "ipc": _optional(service.ipc),
        "shm_size": _optional(service.shm_size),
        "entrypoint": _forms(service.entrypoint),
        "command": " ".join(service.shell_words) or _forms(service.command),
        "environment": environment,
        "volumes": tuple(map(_mount, service.mounts)),
        "labels": labels,
        **_networks(service.networks),
        **_reservation(service.gpus),
    }
    return _file(service.name, _with_override(own, service.override), service)


def _env_files(service: Service) -> Any:
    found = [
        compose_string(file.path) if file.required else {"path": compose_string(file.path), "required": False}
        for file in service.env_file
    ]
    return found or _ABSENT


def _optional_value(value: Text | None) -> str | None:
    return None if value is None else compose_string(value)


def _expected_router(_: Catalog, router: Router) -> dict[str, Any]:
    tls, others = router.limits.tls, router.others
    sources: tuple[str, ...] = (tls.certificate, tls.key) if tls is not None else ()
    sources += (others.certificates,) if others.certificates is not None else ()
    mounts = tuple({"source": compose_string(source)} for source in sources)
    environment: dict[str, None] = dict.fromkeys((*router.key_variables, *others.variables))
    own = {
        **_common_keys(router),
        # Without an image, it is built, or its template has one: Compose refuses a service with neither.
        **({"image": compose_string(router.image), "build": _ABSENT} if router.image is not None else {}),
        "environment": environment,
        "volumes": (*mounts, *map(_mount, router.mounts)),
        **_networks(router.networks),
    }
    found = _file(router.service, _with_override(own, router.override), router)
    return {**found, "services": {**found["services"], **_reloader(router)}}


def _reloader(router: Router) -> dict[str, Any]:
    """Return the service that reloads a router; it is in the router's network, and nowhere else."""
    service = {
        "container_name": _optional(router.reload_container_name),
        "image": _optional(router.image),
        "network_mode": f"service:{compose_string(router.service)}",
        "networks": _ABSENT,
        "ports": _ABSENT,
    }
    return {router.reload_service: service} if router.reloads else {}


def _without_empty(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys without those to which a template alone may have something to add."""
    return {key: value for key, value in keys.items() if value not in ({}, ())}


def _expected_extra(_: Catalog, extra: ExtraService) -> dict[str, Any]:
    return _file(extra.name, extra.mapping, extra)


def _file(name: str, keys: Mapping[str, Any], service: Service | Router | ExtraService) -> dict[str, Any]:
    """Return what a file holds: a service, and what it needs at the top level."""
    declared = {section: getattr(service.declared, section) for section in DECLARED}
    declared["networks"] = {**({"internal": {"internal": True}} if service.sealed else {}), **declared["networks"]}
    return {"services": {name: keys}, **_without_empty(declared)}


_KINDS: dict[str, Callable[[Catalog, Any], dict[str, Any]]] = {
    "service": _expected_service,
    "router": _expected_router,
    "extra": _expected_extra,
}
