"""Keys of a service that a tier writes as Compose has them: what its fields do not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from anvil_gen.inventory.fields import COMPOSE

OWN_KEYS: Mapping[str, tuple[str, Any]] = {
    "annotations": ("Annotations of the container", {"com.example.team": "search"}),
    "blkio_config": ("How disks are shared", {"weight": 300}),
    "cap_add": ("Capabilities that are added", ["SYS_NICE"]),
    "cap_drop": ("Capabilities that are dropped", ["NET_RAW"]),
    "cgroup": ("Control group: that of the host, or one of its own", "private"),
    "cgroup_parent": ("Control group above the container's", "m-executor-abcd"),
    "configs": ("Configs of `[configs]` that it is given", ["search"]),
    "cpu_count": ("CPUs, on Windows", 2),
    "cpu_percent": ("Share of the CPUs, on Windows", 50),
    "cpu_period": ("Period of the CPU quota, in microseconds", 100000),
    "cpu_quota": ("Time on the CPU in a period, in microseconds", 50000),
    "cpu_rt_period": ("Period of real-time scheduling, in microseconds", 1000000),
    "cpu_rt_runtime": ("Time of real-time scheduling, in microseconds", 950000),
    "cpu_shares": ("Weight where CPUs are short", 512),
    "cpus": ("CPUs at most", 8),
    "cpuset": ("CPUs by number", "0-7"),
    "depends_on": ("Services that start before it", ["db"]),
    "deploy": ("Resources; GPUs that `gpus` does not say", {"resources": {}}),
    "device_cgroup_rules": ("Devices that it may use", ["c 195:* rwm"]),
    "devices": ("Devices of the host", ["/dev/infiniband"]),
    "dns": ("Name servers", ["192.0.2.53"]),
    "dns_opt": ("Options of the resolver", ["timeout:2"]),
    "dns_search": ("Domains that names are looked up in", ["example.com"]),
    "domainname": ("Domain of the container", "example.com"),
    "expose": ("Ports that are only for other containers", ["8000"]),
    "external_links": ("Containers of other projects by name", ["db:database"]),
    "extra_hosts": ("Further names and addresses", ["host.docker.internal:host-gateway"]),
    "group_add": ("Further groups of its user", ["video"]),
    "hostname": ("Host name of the container", "chat"),
    "isolation": ("Isolation of the container", "default"),
    "labels": ("Labels of the container", {"team": "search"}),
    "links": ("Other services by name", ["db"]),
    "mac_address": ("Hardware address", "02:42:ac:11:65:43"),
    "mem_limit": ("Memory at most", "64g"),
    "mem_reservation": ("Memory that is kept for it", "32g"),
    "mem_swappiness": ("How readily the kernel swaps, from 0 to 100", 0),
    "memswap_limit": ("Memory and swap at most", "64g"),
    "network_mode": ("Network that is none of Compose's", "host"),
    "oom_kill_disable": ("Whether it is spared where memory is short", False),
    "oom_score_adj": ("How soon it is killed where memory is short", 500),
    "pid": ("Process namespace", "host"),
    "pids_limit": ("Processes at most", 4096),
    "platform": ("Platform of the image", "linux/amd64"),
    "privileged": ("Whether it has every right on the host", False),
    "profiles": ("Profiles with which Compose starts it", ["gpu"]),
    "pull_policy": ("When the image is pulled", "always"),
    "read_only": ("Whether its file system is read-only", True),
    "runtime": ("Runtime of Docker", "runc"),
    "secrets": ("Secrets of `[secrets]` that it is given", ["hub_token"]),
    "security_opt": ("Security options", ["seccomp:unconfined"]),
    "stdin_open": ("Whether its input stays open", False),
    "stop_signal": ("Signal that stops it", "SIGINT"),
    "storage_opt": ("Options of its storage", {"size": "120G"}),
    "sysctls": ("Parameters of the kernel", {"net.core.somaxconn": 1024}),
    "tmpfs": ("Folders in memory", ["/tmp"]),  # noqa: S108  in the container
    "tty": ("Whether it has a terminal", False),
    "ulimits": ("Limits of its processes", {"memlock": -1}),
    "user": ("User of its processes", "1000:1000"),
    "userns_mode": ("User namespace", "host"),
    "uts": ("Namespace of host names", "host"),
    "volumes_from": ("Services and containers whose volumes it has", ["data"]),
    "working_dir": ("Folder that it starts in", "/app"),
}
"""Key of Compose -> what it is, and an example."""


def _kind(said: str, example: Any) -> Any:
    description = f"{said}: Compose's own key."
    said, _, unit = said.partition(", in ")
    more = {COMPOSE: True, **({"x-unit": unit} if unit else {})}
    return Annotated[Any, Meta(description=description, examples=[example], extra_json_schema=more)]


def with_own_keys(name: str, base: type[Struct]) -> type[Struct]:
    """Return a table with Compose's own keys after those of another."""
    fields = [(key, _kind(said, example) | UnsetType, UNSET) for key, (said, example) in OWN_KEYS.items()]
    return defstruct(
        name,
        fields,
        bases=(base,),
        namespace={"__doc__": base.__doc__},
        module=base.__module__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        omit_defaults=True,
    )


def own_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a tier's table that are Compose's own."""
    return {name: value for name, value in table.items() if name in OWN_KEYS}
