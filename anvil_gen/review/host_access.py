"""What a service has of its host beyond a container's own: files, devices, privileges, the Docker socket."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from anvil_gen.host_paths import is_absolute
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.compose_keys import long_mount

Exposure = tuple[str, str]
"""What a person is told, after the name of the service, and what it is about; nothing where that says all."""

_MOUNTS = "mounts from the host"
ROOT = "root on the host"
"""What the worst of it says that it is."""
_SOCKET = f"has a container engine's socket, which is {ROOT}"
_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "docker_engine")
_HAVE_SOCKETS = ("/", "/run", "/run/user", "/var", "/var/run")
_SHARED = {
    "cgroup": "the host's control groups",
    "ipc": "the host's shared memory (ipc)",
    "network_mode": "the host's network",
    "pid": "the host's processes (pid)",
    "userns_mode": "the host's user namespace",
    "uts": "the host's name (uts)",
}
_USUAL = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""The capabilities that Docker gives every container."""
_LISTS = {
    "device_cgroup_rules": "has devices of the host",
    "devices": "has devices of the host",
    "volumes_from": "has the mounts of",
}
_OUTSIDE = ("macvlan", "ipvlan", "routed", "nat-unprotected")
"""Drivers and modes of networks by which a container is reached without a published port."""
_FALSE = ("", "false", "no", "n", "off", "0", "none")
_VARIABLE = lazy_pattern(r"\$(?:\{(?P<name>\w+)(?::?-(?P<default>[^}]*))?[^}]*\}|(?P<short>[A-Za-z_]\w*))")


def host_access(service: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> Iterator[Exposure]:
    """Yield what a service has of its host, by its own keys and by what the files declare. Anybody's YAML passes."""
    declared = list(files)
    yield from _privileges(service)
    for key, what in _SHARED.items():
        value = str(service.get(key) or "")
        if value == "host":
            yield f"shares {what}", ""
        elif value.startswith("container:"):
            yield f"shares the {key} of", value
    for capability in map(str, _items(service, "cap_add")):
        if capability.upper().removeprefix("CAP_") not in _USUAL:
            yield "adds capabilities", capability
    for key, what in _LISTS.items():
        yield from ((what, _source(item)) for item in _items(service, key))
    yield from _paths(service, declared)


def _privileges(service: Mapping[str, Any]) -> Iterator[Exposure]:
    if _is_on(service.get("privileged")):
        yield f"is privileged, which is {ROOT}", ""
    hooks = [hook for key in ("post_start", "pre_stop") for hook in _items(service, key)]
    if any(isinstance(hook, Mapping) and _is_on(hook.get("privileged")) for hook in hooks):
        yield f"runs a privileged hook, which is {ROOT}", ""
    for option in map(str, _items(service, "security_opt")):
        if "unconfined" in option or "disable" in option:
            yield "switches confinement off", option
    build = service.get("build")
    if isinstance(build, Mapping):
        if _is_on(build.get("privileged")):
            yield f"is built with privileges, which is {ROOT}", ""
        yield from (("is built with", str(one)) for one in _items(build, "entitlements"))
    for key, what in (("provider", "runs a program of the host"), ("extends", "takes keys from elsewhere")):
        if service.get(key):
            yield what, _source(service[key])


def _is_on(value: Any) -> bool:
    return str(value if value is not None else "").lower() not in _FALSE


def _items(mapping: Mapping[str, Any], key: str) -> list[Any]:
    value = mapping.get(key)
    return value if isinstance(value, list) else [] if value is None else [value]


def _source(item: Any) -> str:
    """Return what a value names first: a path, a file, a kind."""
    if isinstance(item, Mapping):
        return str(next((item[key] for key in ("source", "path", "file", "type") if item.get(key)), ""))
    return str(item)


def _paths(service: Mapping[str, Any], files: list[Mapping[str, Any]]) -> Iterator[Exposure]:
    if _is_on(service.get("use_api_socket")):
        yield _SOCKET, "use_api_socket"
    for mount in _items(service, "volumes"):
        yield from _mount(mount, files)
    for key in ("configs", "secrets"):
        for name in map(_source, _items(service, key)):
            yield from _file(_declared(files, key, name).get("file"))
    for source in (_filled(_source(item)) for key in ("env_file", "label_file") for item in _items(service, key)):
        if not _is_in_tree(source):
            yield "reads files of the host", source


def _mount(mount: Any, files: list[Mapping[str, Any]]) -> Iterator[Exposure]:
    if isinstance(mount, Mapping):
        mount = {**mount, "source": _filled(str(mount.get("source") or ""))}
    long = long_mount(mount if isinstance(mount, Mapping) else _filled(str(mount)))
    source, read_only = long["source"], long.get("read_only") is True
    if long["type"] == "volume":
        options = _declared(files, "volumes", source).get("driver_opts")
        source = _filled(str(options.get("device", ""))) if isinstance(options, Mapping) else ""
    if not source or (read_only and _is_in_tree(source)) or long["type"] == "tmpfs":
        return
    yield _MOUNTS, f"{source} (read-only)" if read_only else source
    place = posixpath.normpath(re.sub("^//", "/", source.replace("\\", "/")))
    if place.endswith(_SOCKETS) or place in _HAVE_SOCKETS or place.startswith("/run/user/"):
        yield _SOCKET, source


def _file(path: Any) -> Iterator[Exposure]:
    source = _filled(str(path or ""))
    if source and not _is_in_tree(source):
        yield _MOUNTS, f"{source} (read-only)"


def _is_in_tree(path: str) -> bool:
    return not is_absolute(path) and not path.startswith("~") and ".." not in path.replace("\\", "/").split("/")


def _filled(text: str) -> str:
    """Return a text with the defaults of its variables; one without is taken for a path."""
    return _VARIABLE.sub(lambda match: match["default"] or f"/${match['name'] or match['short']}", text)


def _declared(files: list[Mapping[str, Any]], kind: str, name: str) -> Mapping[str, Any]:
    """Return what files declare of a volume, network, config or secret."""
    tables = (file.get(kind) for file in files)
    found = (table.get(name) for table in tables if isinstance(table, Mapping))
    return next((one for one in found if isinstance(one, Mapping)), {})


def networks(service: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> Iterator[Exposure]:
    """Yield what networks make of a service, other than Docker's own bridges, which only published ports go through."""
    declared = list(files)
    names = service.get("networks") or ["default"]
    for name in map(str, names if isinstance(names, list | Mapping) else ()):
        network = _declared(declared, "networks", name)
        options = network.get("driver_opts")
        modes = options if isinstance(options, Mapping) else {}
        found = [str(network.get("driver") or ""), *(str(v) for k, v in modes.items() if "gateway_mode" in str(k))]
        if network.get("name") == "host" or "host" in found:
            yield "shares the host's network", ""
        yield from (("is reached without a published port", f"{name} ({one})") for one in found if one in _OUTSIDE)
