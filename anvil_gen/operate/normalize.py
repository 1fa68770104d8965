"""The configuration of a container in Compose's own keys, so that it can be compared like any compose file.

Both sides of a comparison pass through here: a container as ``docker inspect`` describes it, and a service as ``docker
compose config --format json`` prints it. Defaults and empty values are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from anvil_gen.machine.containers import Container
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.variables_model import VARIABLE_LABEL
from anvil_gen.text.units import MIB, parse_duration, parse_size

NormalizedService = dict[str, Any]
"""Keys of a compose service, with times in seconds, sizes in bytes and mounts in long form."""

_ANONYMOUS = lazy_pattern("[0-9a-f]{64}")
# Compose's own, and those that only repeat the command.
_IGNORED_LABELS = ("com.docker.compose.", VARIABLE_LABEL)
_DEFAULT_SHM = 64 * MIB
# Key of a service -> key of the image's configuration: Docker does not report which of the two a value comes from.
_OF_IMAGE = {"entrypoint": "Entrypoint", "command": "Cmd", "user": "User"}
# Docker adds this to a container that shares a namespace with the machine.
_ADDED_OPTION = "label=disable"
# Key of a service -> key of HostConfig with the same values.
_SAME = {"cap_add": "CapAdd", "cap_drop": "CapDrop", "group_add": "GroupAdd", "security_opt": "SecurityOpt"}


def normalize_container(container: Container, image: Mapping[str, Any] | None) -> NormalizedService:
    """Return what a container adds to its image; ``image`` is from ``docker image inspect``, if it still exists."""
    host, config = container.raw["HostConfig"], container.raw["Config"]
    own = (image or {}).get("Config") or {}
    labels = {
        name: value
        for name, value in (config.get("Labels") or {}).items()
        if not name.startswith(_IGNORED_LABELS) and (own.get("Labels") or {}).get(name) != value
    }
    form: NormalizedService = {
        "image": config["Image"],
        "container_name": container.name,
        **{key: _none_if_default(config.get(name), own.get(name)) for key, name in _OF_IMAGE.items()},
        "environment": _environment(config.get("Env"), own.get("Env")),
        "labels": labels,
        "ports": sorted(container.asked_ports),
        "volumes": sorted(_mounts(container.raw.get("Mounts") or ()), key=str),
        "restart": _restart(host.get("RestartPolicy") or {}),
        "init": host.get("Init"),
        "ipc": _none_if_default(host.get("IpcMode"), "private"),
        "shm_size": _none_if_default(host.get("ShmSize"), _DEFAULT_SHM),
        "read_only": host.get("ReadonlyRootfs"),
        "privileged": host.get("Privileged"),
        "mem_limit": host.get("Memory"),
        "stop_grace_period": config.get("StopTimeout"),
        "healthcheck": _health(_none_if_default(config.get("Healthcheck"), own.get("Healthcheck"))),
        "logging": _logging(host.get("LogConfig") or {}),
        "devices": sorted(f"{d['PathOnHost']}:{d['PathInContainer']}" for d in host.get("Devices") or ()),
        "networks": sorted((container.raw.get("NetworkSettings") or {}).get("Networks") or ()),
        **{key: sorted(set(host.get(name) or ()) - {_ADDED_OPTION}) for key, name in _SAME.items()},
        **_reserved(container.device_ids, container.gpu_count),
    }
    return _without_empty(form)


def normalize_service(
    name: str, config: Mapping[str, Any], image: Mapping[str, Any] | None = None
) -> NormalizedService:
    """Return what a service of a canonical compose configuration adds to its image, as far as Docker reports it."""
    service, project = config["services"][name], config["name"]
    own = (image or {}).get("Config") or {}
    form: NormalizedService = {
        "image": service.get("image", f"{project}-{name}"),
        "container_name": service.get("container_name", f"{project}-{name}-1"),
        **{key: service.get(key) for key in ("init", "read_only")},
        "labels": _own_labels(service.get("labels") or {}),
        **{key: _none_if_default(service.get(key), own.get(name)) for key, name in _OF_IMAGE.items()},
        **{key: sorted(set(map(str, service.get(key) or ())) - {_ADDED_OPTION}) for key in _SAME},
        "privileged": service.get("privileged"),
        "environment": service.get("environment") or {},
        "ports": sorted(_asked_ports(service)),
        "volumes": sorted([*_service_mounts(service, config), *_file_mounts(service, config)], key=str),
        "restart": _none_if_default(service.get("restart"), "no"),
        "ipc": _none_if_default(service.get("ipc"), "private"),
        "shm_size": _none_if_default(_bytes(service.get("shm_size")), _DEFAULT_SHM),
        "mem_limit": _bytes(service.get("mem_limit")),
        "stop_grace_period": _seconds(service.get("stop_grace_period")),
        "healthcheck": _service_health(service.get("healthcheck")),
        "logging": service.get("logging"),
        "devices": sorted(_device(device) for device in service.get("devices") or ()),
        "networks": sorted(_network(net, project, config) for net in service.get("networks") or ()),
        **_reserved(tuple(_device_ids(service)), _gpu_count(service)),
    }
    return _without_empty(form)


def _without_empty(form: NormalizedService) -> NormalizedService:
    return {key: value for key, value in form.items() if value}


def _own_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in labels.items() if not name.startswith(_IGNORED_LABELS)}


def _none_if_default(value: Any, usual: Any) -> Any:
    return None if value == usual else value


def _environment(entries: Any, own: Any) -> Any:
    added = [entry for entry in entries or () if entry not in (own or ())]
    return by_name(added)


def _restart(policy: Mapping[str, Any]) -> str | None:
    name, most = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return None if name == "no" else f"{name}:{most}" if most else name


def _mounts(mounts: Any) -> Iterator[dict[str, Any]]:
    for mount in mounts:
        source = mount.get("Name") if mount["Type"] == "volume" else mount.get("Source")
        if not _ANONYMOUS.fullmatch(source or ""):
            entry = {"type": mount["Type"], "source": source, "target": mount["Destination"]}
            yield entry if mount.get("RW", True) else {**entry, "read_only": True}


def _service_mounts(service: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for mount in service.get("volumes") or ():
        source = mount.get("source", "")
        if mount["type"] == "volume":
            source = ((config.get("volumes") or {}).get(source) or {}).get("name", source)
        if source:
            entry = {"type": mount["type"], "source": source, "target": mount["target"]}
            yield {**entry, "read_only": True} if mount.get("read_only") else entry


def _file_mounts(service: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the files of the host that are secrets and configs: mounts, as Docker has them."""
    for section, folder in (("secrets", "/run/secrets/"), ("configs", "/")):
        for entry in service.get(section) or ():
            source = ((config.get(section) or {}).get(entry["source"]) or {}).get("file")
            target = entry.get("target") or entry["source"]
            if source:
                place = target if target.startswith("/") else f"{folder}{target}"
                yield {"type": "bind", "source": source, "target": place, "read_only": True}


def _health(check: Any) -> dict[str, Any] | None:
    if not check:
        return None
    times = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    durations = {key: _whole(check[name] / 1e9) for key, name in times.items() if check.get(name)}
    return {"test": check.get("Test"), "retries": check.get("Retries"), **durations}


def _service_health(check: Any) -> dict[str, Any] | None:
    if not check:
        return None
    times = {key: _seconds(check[key]) for key in ("interval", "timeout", "start_period") if check.get(key)}
    return {"test": check.get("test"), "retries": check.get("retries"), **times}


def _logging(log: Mapping[str, Any]) -> dict[str, Any] | None:
    return {"driver": log.get("Type"), "options": log["Config"]} if log.get("Config") else None


def _device(device: Any) -> str:
    return device if isinstance(device, str) else f"{device['source']}:{device.get('target', device['source'])}"


def _asked_ports(service: Mapping[str, Any]) -> Iterator[str]:
    for port in service.get("ports") or ():
        if port.get("published"):
            yield f"{port.get('host_ip', '')}:{port['published']}"


def _devices(service: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    reservations = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    devices: Iterable[Mapping[str, Any]] = reservations.get("devices") or ()
    return devices


def _device_ids(service: Mapping[str, Any]) -> Iterator[str]:
    for device in _devices(service):
        yield from device.get("device_ids") or ()


def _gpu_count(service: Mapping[str, Any]) -> int:
    """Return the number of GPUs that a service reserves without names, -1 for all: Compose prints either form."""
    counts = [device["count"] for device in _devices(service) if device.get("count")]
    return next((-1 if count == "all" else int(count) for count in counts), 0)


def _reserved(device_ids: tuple[str, ...], count: int) -> dict[str, Any]:
    device: dict[str, Any] = {"device_ids": sorted(device_ids)} if device_ids else {"count": count} if count else {}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}} if device else {}


def _network(name: str, project: str, config: Mapping[str, Any]) -> str:
    network = (config.get("networks") or {}).get(name) or {}
    full: str = network.get("name", f"{project}_{name}")
    return full


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else _whole(parse_duration(duration))


def _whole(number: float) -> float | int:
    """Return a number as a person writes it: 60, and not 60.0."""
    return int(number) if number == int(number) else number


def _bytes(size: str | int | None) -> int | None:
    return int(parse_size(size)) if isinstance(size, str) else size
