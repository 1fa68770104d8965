"""Containers as a project of Compose: what `docker inspect` says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.importing.compose_files import Project, project_name, project_of
from anvil_gen.importing.declared import declared
from anvil_gen.importing.names import free_name
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import escape_dollars

_LABEL = "com.docker.compose."
_OWN_LABELS = (_LABEL, "desktop.docker.io/")
_SHM = 67_108_864  # Docker's default
_DEFAULT_MODES = ("", "default", "private", "shareable")
_SHORT_ID = lazy_pattern("[0-9a-f]{12}")


def read_inspected(
    text: str,
    shown: str,
    folder: Path,
    images: Mapping[str, Any] | None = None,
    networks: Mapping[str, Any] | None = None,
) -> Project:
    """Return the project of containers, from what `docker inspect` prints of them.

    ``images`` are the images' own settings by id, which containers repeat; what is printed may have them as well.
    ``networks`` are those of the containers, by name, as Docker says them.

    Raises:
        DiagnosticError: it is not that, or has no container.
    """
    entries = _entries(text, shown)
    containers = [entry for entry in entries if "HostConfig" in entry]
    if not containers:
        raise _refused(shown, "it has no container")
    known = {str(entry.get("Id")): entry for entry in entries if "RootFS" in entry} | dict(images or {})
    services: dict[str, dict[str, Any]] = {}
    for container in containers:
        image = known.get(str(container.get("Image")), {})
        services[_name(container, services)] = _service(container, image.get("Config") or {})
    projects = [_labels(one).get(f"{_LABEL}project") for one in containers]
    name = next((str(one) for one in projects if one), None)
    return project_of(
        name=project_name(name, folder),
        folder=folder,
        tables={"services": services, **_declared(services, containers, networks or {})},
        shown=shown,
        lines={},
        lost=[],
    )


def _entries(text: str, shown: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise _refused(shown, f"it is no JSON: {error}", line) from None
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, dict)]


def _refused(file: str, detail: str, line: int | None = None) -> DiagnosticError:
    remedy = "docker inspect CONTAINER prints what is read here"
    location = Location(file=file, line=line)
    return DiagnosticError([Diagnostic(code="no-containers", detail=detail, remedy=remedy, location=location)])


def _labels(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return (container.get("Config") or {}).get("Labels") or {}


def _name(container: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    named = _labels(container).get(f"{_LABEL}service") or str(container.get("Name", "")).lstrip("/") or "service"
    name = re.sub("[^A-Za-z0-9._-]+", "-", str(named)).strip("-._") or "service"
    return free_name(name, taken)


def _service(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    config, host = container.get("Config") or {}, container.get("HostConfig") or {}
    found: dict[str, Any] = {"image": config.get("Image", "")}
    name = str(container.get("Name", "")).lstrip("/")
    if name and not _is_made_by_compose(container, name):
        found["container_name"] = name
    found |= _of_config(config, image)
    found |= _of_host(host)
    found |= _mounts(host, _labels(container).get(f"{_LABEL}project"))
    found |= _networks(container, host)
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def _is_made_by_compose(container: Mapping[str, Any], name: str) -> bool:
    labels = _labels(container)
    project, service = labels.get(f"{_LABEL}project"), labels.get(f"{_LABEL}service")
    return name in (f"{project}-{service}-1", f"{project}_{service}_1")


def _of_config(config: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of what a container is told, without what its image says itself."""
    own_env = set(image.get("Env") or ())
    environment = [one for one in config.get("Env") or () if one not in own_env and not one.startswith("PATH=")]
    labels = {
        name: value
        for name, value in (config.get("Labels") or {}).items()
        if not name.startswith(_OWN_LABELS) and (image.get("Labels") or {}).get(name) != value
    }
    found: dict[str, Any] = {
        "environment": {name: value for name, _, value in (one.partition("=") for one in environment)},
        "labels": labels,
    }
    for key, name in (("entrypoint", "Entrypoint"), ("command", "Cmd")):
        found[key] = config.get(name) if config.get(name) != image.get(name) or not image else None
    for key, name in (("user", "User"), ("working_dir", "WorkingDir"), ("stop_signal", "StopSignal")):
        found[key] = config.get(name) if config.get(name) != image.get(name) else None
    hostname = config.get("Hostname", "")
    found["hostname"] = None if _SHORT_ID.fullmatch(str(hostname)) else hostname
    found |= {key: True for key, name in (("tty", "Tty"), ("stdin_open", "OpenStdin")) if config.get(name)}
    found |= {"stop_grace_period": f"{config['StopTimeout']}s"} if config.get("StopTimeout") else {}
    health = config.get("Healthcheck")
    found["healthcheck"] = _health(health) if health and health != image.get("Healthcheck") else None
    escaped: dict[str, Any] = _escaped(found)
    return escaped


def _escaped(value: Any) -> Any:
    """Return a value of a container as a text of a compose file: every `$` is literal."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape_dollars(value) if isinstance(value, str) else value


def _health(health: Mapping[str, Any]) -> dict[str, Any]:
    times = (("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod"))
    found: dict[str, Any] = {"test": health.get("Test")}
    found |= {key: _duration(health[name]) for key, name in times if health.get(name)}
    return {**found, **({"retries": health["Retries"]} if health.get("Retries") else {})}


def _duration(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}s" if nanoseconds % 1_000_000_000 == 0 else f"{nanoseconds // 1_000_000}ms"


def _of_host(host: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of how a container is run."""
    found: dict[str, Any] = {
        key: host.get(name)
        for key, name in (
            ("cap_add", "CapAdd"), ("cap_drop", "CapDrop"), ("security_opt", "SecurityOpt"), ("group_add", "GroupAdd"),
            ("dns", "Dns"), ("extra_hosts", "ExtraHosts"), ("sysctls", "Sysctls"), ("userns_mode", "UsernsMode"),
            ("pid", "PidMode"), ("storage_opt", "StorageOpt"), ("volumes_from", "VolumesFrom"),
        )
    }  # fmt: skip
    if found["pid"] == "host" or host.get("IpcMode") == "host" or host.get("Privileged"):
        # Docker adds it to a container that is not kept apart from the host.
        found["security_opt"] = [one for one in found["security_opt"] or () if one != "label=disable"]
    restart = host.get("RestartPolicy") or {}
    attempts = f":{restart['MaximumRetryCount']}" if restart.get("MaximumRetryCount") else ""
    found["restart"] = f"{restart['Name']}{attempts}" if restart.get("Name") not in (None, "", "no") else None
    found["ipc"] = None if host.get("IpcMode", "") in _DEFAULT_MODES else host["IpcMode"]
    found["shm_size"] = _size(host.get("ShmSize")) if host.get("ShmSize") not in (None, 0, _SHM) else None
    found["runtime"] = None if host.get("Runtime") in (None, "", "runc") else host["Runtime"]
    found |= {key: True for key, name in _SWITCHES if host.get(name)}
    found["mem_limit"] = _size(host["Memory"]) if host.get("Memory") else None
    found["cpus"] = host["NanoCpus"] / 1e9 if host.get("NanoCpus") else None
    limits = {one["Name"]: {"soft": one["Soft"], "hard": one["Hard"]} for one in host.get("Ulimits") or ()}
    found["ulimits"] = limits
    log = host.get("LogConfig") or {}
    options = log.get("Config") or {}
    found["logging"] = {"driver": log["Type"], "options": options} if log.get("Type") and options else None
    found["ports"] = [*_ports(host.get("PortBindings") or {})]
    requests = [_request(one) for one in host.get("DeviceRequests") or ()]
    found["deploy"] = {"resources": {"reservations": {"devices": requests}}} if requests else None
    found["devices"] = [_device(one) for one in host.get("Devices") or ()]
    found["tmpfs"] = [f"{target}:{said}" if said else target for target, said in (host.get("Tmpfs") or {}).items()]
    return found


_SWITCHES = (("privileged", "Privileged"), ("init", "Init"), ("read_only", "ReadonlyRootfs"))


def _size(number: Any) -> str:
    for unit, size in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if isinstance(number, int) and number % size == 0:
            return f"{number // size}{unit}"
    return f"{number}b"


def _ports(bindings: Mapping[str, Any]) -> list[str]:
    found = []
    for target, hosts in bindings.items():
        number, _, protocol = target.partition("/")
        for host in hosts or ():
            address = host.get("HostIp", "")
            place = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
            published = f"{place}{host['HostPort']}:" if host.get("HostPort") else place
            found.append(f"{published}{number}{'' if protocol in ('', 'tcp') else f'/{protocol}'}")
    return found


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    capabilities = [one for group in request.get("Capabilities") or () for one in group]
    found: dict[str, Any] = {"driver": request.get("Driver") or None, "capabilities": capabilities or ["gpu"]}
    if request.get("DeviceIDs"):
        found["device_ids"] = list(request["DeviceIDs"])
    else:
        found["count"] = "all" if request.get("Count", -1) == -1 else request["Count"]
    return {key: value for key, value in found.items() if value is not None}


def _device(device: Mapping[str, Any]) -> str:
    rights = device.get("CgroupPermissions", "rwm")
    pair = f"{device.get('PathOnHost')}:{device.get('PathInContainer')}"
    return pair if rights == "rwm" else f"{pair}:{rights}"


def _mounts(host: Mapping[str, Any], project: Any) -> dict[str, Any]:
    binds = [_own_name(one.removesuffix(":rw"), project) for one in host.get("Binds") or ()]
    found: list[Any] = [escape_dollars(one) for one in binds]
    for mount in host.get("Mounts") or ():
        table: dict[str, Any] = {"type": mount.get("Type"), "target": escape_dollars(mount.get("Target", ""))}
        table |= {"source": escape_dollars(_own_name(mount["Source"], project))} if mount.get("Source") else {}
        table |= {"read_only": True} if mount.get("ReadOnly") else {}
        create = (mount.get("BindOptions") or {}).get("CreateMountpoint")
        found.append({**table, **({"bind": {"create_host_path": True}} if create else {})})
    return {"volumes": found}


def _networks(container: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    mode = str(host.get("NetworkMode", ""))
    project = _labels(container).get(f"{_LABEL}project")
    if mode in ("host", "none") or mode.startswith("container:"):
        return {"network_mode": mode}
    if mode == "bridge" and project is None:
        return {"network_mode": "bridge"}
    joined = (container.get("NetworkSettings") or {}).get("Networks") or {}
    named = {name: table for name, table in joined.items() if name not in ("bridge", "default", f"{project}_default")}
    found = {_own_name(name, project): _attachment(table or {}) for name, table in named.items()}
    if found and len(named) < len(joined) and project is not None:
        found["default"] = {}
    return {"networks": found if any(found.values()) else [*found]}


def _attachment(table: Mapping[str, Any]) -> dict[str, Any]:
    fixed = (table.get("IPAMConfig") or {}).get("IPv4Address")
    return {"ipv4_address": fixed} if fixed else {}


def _own_name(name: str, project: Any) -> str:
    """Return a volume's or network's name as the compose file has it: without that of the project that made it."""
    return name.removeprefix(f"{project}_") if project else name


def _declared(
    services: Mapping[str, dict[str, Any]], containers: Sequence[Mapping[str, Any]], networks: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the volumes and networks of containers; those that Compose made keep being the project's."""
    text = json.dumps([[one.get("HostConfig"), one.get("NetworkSettings")] for one in containers])
    project = next((str(name) for one in containers if (name := _labels(one).get(f"{_LABEL}project"))), "")

    def keys_of(name: str) -> dict[str, Any]:
        if not project or not re.search(f'"{re.escape(f"{project}_{name}")}[":]', text):
            return {"external": True}
        return _network(networks.get(f"{project}_{name}") or {})

    found = declared(services.values(), keys_of)
    found["networks"].pop("default", None)
    return found


def _network(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a network that Compose has made, from what `docker network inspect` prints of it."""
    found = {key: True for key, name in (("internal", "Internal"), ("attachable", "Attachable")) if said.get(name)}
    driver = {"driver": said["Driver"]} if said.get("Driver") not in (None, "", "bridge") else {}
    options = {"driver_opts": dict(said["Options"])} if said.get("Options") else {}
    return {**driver, **options, **found}
