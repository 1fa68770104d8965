"""The options of `docker run` and `podman run`, each as the key of Compose that says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Service = dict[str, Any]
Take = Callable[[Service, str], None]

DRIVER = "${DRIVER}"  # replaced


def _one(*path: str) -> Take:
    """Return what sets a key to the option's value."""

    def take(service: Service, value: str) -> None:
        for part in path[:-1]:
            service = service.setdefault(part, {})
        service[path[-1]] = value

    return take


def _more(key: str) -> Take:
    """Return what appends the option's value to a list."""

    def take(service: Service, value: str) -> None:
        service.setdefault(key, []).append(value)

    return take


def _pair(*path: str) -> Take:
    """Return what sets an entry of a mapping: `name=value`."""

    def take(service: Service, value: str) -> None:
        name, _, text = value.partition("=")
        for part in path:
            service = service.setdefault(part, {})
        service[name] = text

    return take


def _environment(service: Service, value: str) -> None:
    name, equals, text = value.partition("=")
    service.setdefault("environment", {})[name] = text if equals else None


def _gpus(service: Service, value: str) -> None:
    """Take `all`, a number, or `device=…`, also in quotes within quotes."""
    parts = re.split(r",(?=[a-z]+=)", value.strip().strip('"').strip("'"))
    given = dict(part.strip('"').split("=", 1) for part in parts if "=" in part)
    device: dict[str, Any] = {"driver": given.get("driver", DRIVER)}
    count = given.get("count") or next((part for part in parts if "=" not in part), "")
    if "device" in given:
        device["device_ids"] = [one.strip() for one in given["device"].split(",") if one.strip()]
    else:
        device["count"] = int(count) if count.isdigit() else "all" if count in ("", "all", "-1") else count
    wanted = [word for word in given.get("capabilities", "").strip('"').split(",") if word]
    device["capabilities"] = ["gpu", *(word for word in wanted if word != "gpu")]
    service.setdefault("deploy", {})["resources"] = {"reservations": {"devices": [device]}}


def _mount(service: Service, value: str) -> None:
    pairs = (part.partition("=") for part in value.split(","))
    fields = {name: text if equals else "true" for name, equals, text in pairs}
    names = {"src": "source", "dst": "target", "destination": "target", "ro": "read_only", "readonly": "read_only"}
    named = {names.get(name, name): text for name, text in fields.items()}
    mount: dict[str, Any] = {"type": named.get("type", "volume")}
    mount |= {key: named[key] for key in ("source", "target") if key in named}
    mount |= {"read_only": True} if named.get("read_only", "false") not in ("false", "0") else {}
    if "bind-propagation" in named:
        mount["bind"] = {"propagation": named["bind-propagation"]}
    if "tmpfs-size" in named:
        mount["tmpfs"] = {"size": named["tmpfs-size"]}
    service.setdefault("volumes", []).append(mount)


def _ulimit(service: Service, value: str) -> None:
    name, _, limit = value.partition("=")
    soft, colon, hard = limit.partition(":")
    numbers = [int(one) if re.fullmatch("-?[0-9]+", one) else one for one in (soft, hard)]
    service.setdefault("ulimits", {})[name] = {"soft": numbers[0], "hard": numbers[1]} if colon else numbers[0]


def _network(service: Service, value: str) -> None:
    if value in ("host", "none", "bridge") or value.startswith("container:"):
        service["network_mode"] = value
    elif value != "default":
        name, _, options = value.removeprefix("name=").partition(",")
        table = dict(part.split("=", 1) for part in options.split(",") if "=" in part)
        service.setdefault("networks", {})[name] = {"aliases": [table["alias"]]} if "alias" in table else {}


def _attachment(key: str, *, several: bool = False) -> Take:
    def take(service: Service, value: str) -> None:
        for table in service.get("networks", {}).values():
            table[key] = [*table.get(key, []), value] if several else value

    return take


def _seconds(*path: str) -> Take:
    def take(service: Service, value: str) -> None:
        _one(*path)(service, f"{value}s" if value.isdigit() else value)

    return take


def _health(service: Service, value: str) -> None:
    service.setdefault("healthcheck", {})["test"] = ["CMD-SHELL", value]


def _host(service: Service, value: str) -> None:
    service.setdefault("extra_hosts", []).append(value)


_PAIRS: Mapping[str, tuple[str, ...]] = {
    "label": ("labels",),
    "annotation": ("annotations",),
    "sysctl": ("sysctls",),
    "storage-opt": ("storage_opt",),
    "log-opt": ("logging", "options"),
}
OPTIONS: Mapping[str, Take] = {
    **{
        name: _one(key)
        for name, key in (
            ("name", "container_name"), ("restart", "restart"), ("ipc", "ipc"), ("shm-size", "shm_size"),
            ("runtime", "runtime"), ("user", "user"), ("workdir", "working_dir"), ("hostname", "hostname"),
            ("pid", "pid"), ("memory", "mem_limit"), ("memory-reservation", "mem_reservation"), ("cpus", "cpus"),
            ("memory-swap", "memswap_limit"), ("memory-swappiness", "mem_swappiness"), ("cpuset-cpus", "cpuset"),
            ("cpu-shares", "cpu_shares"), ("platform", "platform"), ("pull", "pull_policy"), ("uts", "uts"),
            ("userns", "userns_mode"), ("stop-signal", "stop_signal"), ("domainname", "domainname"),
            ("mac-address", "mac_address"), ("cgroupns", "cgroup"), ("cgroup-parent", "cgroup_parent"),
            ("isolation", "isolation"), ("pids-limit", "pids_limit"), ("oom-score-adj", "oom_score_adj"),
        )
    },
    **{
        name: _more(key)
        for name, key in (
            ("publish", "ports"), ("volume", "volumes"), ("device", "devices"), ("cap-add", "cap_add"),
            ("cap-drop", "cap_drop"), ("security-opt", "security_opt"), ("group-add", "group_add"), ("dns", "dns"),
            ("dns-search", "dns_search"), ("dns-option", "dns_opt"), ("tmpfs", "tmpfs"), ("expose", "expose"),
            ("volumes-from", "volumes_from"), ("device-cgroup-rule", "device_cgroup_rules"),
            ("env-file", "env_file"), ("link", "external_links"),
        )
    },
    **{name: _pair(*path) for name, path in _PAIRS.items()},
    "env": _environment,
    "gpus": _gpus,
    "mount": _mount,
    "ulimit": _ulimit,
    "network": _network,
    "net": _network,
    "network-alias": _attachment("aliases", several=True),
    "net-alias": _attachment("aliases", several=True),
    "ip": _attachment("ipv4_address"),
    "ip6": _attachment("ipv6_address"),
    "add-host": _host,
    "log-driver": _one("logging", "driver"),
    "health-cmd": _health,
    "health-interval": _one("healthcheck", "interval"),
    "health-timeout": _one("healthcheck", "timeout"),
    "health-retries": _one("healthcheck", "retries"),
    "health-start-period": _one("healthcheck", "start_period"),
    "health-start-interval": _one("healthcheck", "start_interval"),
    "stop-timeout": _seconds("stop_grace_period"),
    "entrypoint": _one("entrypoint"),
}  # fmt: skip
"""Option with a value -> what takes it."""

SWITCHES: Mapping[str, tuple[str, Any]] = {
    "privileged": ("privileged", True),
    "init": ("init", True),
    "tty": ("tty", True),
    "interactive": ("stdin_open", True),
    "read-only": ("read_only", True),
    "oom-kill-disable": ("oom_kill_disable", True),
    "no-healthcheck": ("healthcheck", {"disable": True}),
}
"""Option without a value -> the key and value that it stands for."""

OF_THE_RUN = (
    "detach",
    "rm",
    "replace",
    "sig-proxy",
    "quiet",
    "help",
    "disable-content-trust",
    "publish-all",
    "tls-verify",
)
"""Options without a value that are about the run itself: Compose has nothing for them."""
LOST = ("publish-all",)
"""Of these, what changes the container."""
VALUES_OF_THE_RUN = ("cidfile", "pidfile", "attach", "detach-keys", "hooks-dir", "pod", "authfile", "conmon-pidfile")
SHORT: Mapping[str, str] = {
    "d": "detach", "i": "interactive", "t": "tty", "p": "publish", "P": "publish-all", "v": "volume", "e": "env",
    "u": "user", "w": "workdir", "h": "hostname", "l": "label", "m": "memory", "c": "cpu-shares", "a": "attach",
    "q": "quiet",
}  # fmt: skip
"""Letter after one dash -> option."""
