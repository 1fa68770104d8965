"""What a reviewer must not overlook of a service: where it listens beyond loopback, and what it has of its host."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.review.consequence import service_changes
from anvil_gen.review.exposure import new_exposures

PORTS: dict[str, tuple[Any, Any, list[str]]] = {
    "loopback": ([], ["127.0.0.1:1:1", "[::1]:2:2"], []),
    "every address": ([], ["8000:8000"], ["0.0.0.0:8000"]),
    "the same, otherwise written": (["0.0.0.0:8000:8000"], ["8000:8000"], []),
    "an address": (["127.0.0.1:1:1"], ["192.168.0.1:1:1"], ["192.168.0.1:1"]),
    "IPv6": ([], ["[::]:1:1"], ["[::]:1"]),
    "a port that Docker chooses": ([], ["8000"], ["0.0.0.0:a port that Docker chooses"]),
    "a variable": ([], ["${BIND:-0.0.0.0}:${PORT:-8000}:8000"], ["0.0.0.0:8000"]),
    "a variable on loopback": ([], ["${BIND:-127.0.0.1}:8000:8000"], []),
    "the long form": ([], [{"target": 1, "published": "9", "host_ip": "10.0.0.1"}], ["10.0.0.1:9"]),
    "a port more": (["1:1"], ["1:1", "2:2/udp"], ["0.0.0.0:2"]),
    "one that goes": (["1:1"], [], []),
    "no list": ({}, {"a": 1}, []),
}
MOUNTS = "mounts from the host"
SOCKET = "has a container engine's socket, which is root on the host"
NETWORK = ("shares the host's network", "")
LISTENS = "listens beyond loopback"

ACCESS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "nothing": ({"image": "x", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}, []),
    "privileged": ({"privileged": True}, [("is privileged, which is root on the host", "")]),
    "privileged, as text": ({"privileged": "Yes"}, [("is privileged, which is root on the host", "")]),
    "privileged, by a variable": ({"privileged": "${X:-}"}, [("is privileged, which is root on the host", "")]),
    "not privileged": ({"privileged": "off"}, []),
    "a hook": (
        {"post_start": [{"command": "x", "privileged": True}]},
        [("runs a privileged hook, which is root on the host", "")],
    ),
    "host paths": (
        {
            "volumes": [
                {"type": "bind", "source": "/srv/m", "target": "/m", "read_only": True},
                "/srv/cache:/c",
                "C:\\data:/d:ro",
                "~/x:/x",
                "../up:/u:ro",
                "${DIR:-/srv/d}:/e",
                "$DIR:/f",
            ]
        },
        [
            (MOUNTS, "/srv/m (read-only)"),
            (MOUNTS, "/srv/cache"),
            (MOUNTS, "C:\\data (read-only)"),
            (MOUNTS, "~/x"),
            (MOUNTS, "../up (read-only)"),
            (MOUNTS, "/srv/d"),
            (MOUNTS, "/$DIR"),
        ],
    ),
    "what is rendered beside it": ({"volumes": ["./fast.files/a:/a:ro", "data:/data", "/anonymous"]}, []),
    "what is beside it, to write": ({"volumes": ["./:/a"]}, [(MOUNTS, "./")]),
    "a volume that is a folder": ({"volumes": ["root:/x"]}, [(MOUNTS, "/etc")]),
    "the socket": (
        {"volumes": ["/var/run/docker.sock:/s:ro"]},
        [(MOUNTS, "/var/run/docker.sock (read-only)"), (SOCKET, "/var/run/docker.sock")],
    ),
    "a folder of the socket": ({"volumes": ["/var/run/:/s"]}, [(MOUNTS, "/var/run/"), (SOCKET, "/var/run/")]),
    "a socket of Windows": (
        {"volumes": [{"type": "npipe", "source": "\\\\.\\pipe\\docker_engine", "target": "/s"}]},
        [(MOUNTS, "\\\\.\\pipe\\docker_engine"), (SOCKET, "\\\\.\\pipe\\docker_engine")],
    ),
    "the socket by a key": ({"use_api_socket": True}, [(SOCKET, "use_api_socket")]),
    "a secret": ({"secrets": ["key"], "configs": [{"source": "own"}]}, [(MOUNTS, "/etc/shadow (read-only)")]),
    "an environment": (
        {"env_file": [{"path": "/etc/environment"}, "own.env"], "label_file": "../l"},
        [("reads files of the host", "/etc/environment"), ("reads files of the host", "../l")],
    ),
    "capabilities": ({"cap_add": ["SYS_ADMIN"]}, [("adds capabilities", "SYS_ADMIN")]),
    "capabilities that Docker gives": ({"cap_drop": ["ALL"], "cap_add": ["DAC_OVERRIDE", "cap_chown"]}, []),
    "namespaces": (
        {"pid": "host", "ipc": "host", "uts": "host", "userns_mode": "host", "cgroup": "host"},
        [
            ("shares the host's control groups", ""),
            ("shares the host's shared memory (ipc)", ""),
            ("shares the host's processes (pid)", ""),
            ("shares the host's user namespace", ""),
            ("shares the host's name (uts)", ""),
        ],
    ),
    "another container's": ({"pid": "container:x"}, [("shares the pid of", "container:x")]),
    "of its own project": ({"network_mode": "service:router", "ipc": "shareable"}, []),
    "the host's network": ({"network_mode": "host"}, [(LISTENS, "all ports of the host's network"), NETWORK]),
    "the host's network, by a name": ({"networks": ["hosts"]}, [NETWORK]),
    "a network of its own": (
        {"networks": {"lan": None}},
        [("is reached without a published port", "lan (macvlan)")],
    ),
    "devices": ({"devices": ["/dev/kfd"]}, [("has devices of the host", "/dev/kfd")]),
    "no confinement": (
        {"security_opt": ["seccomp=unconfined", "label:disable"]},
        [("switches confinement off", "seccomp=unconfined"), ("switches confinement off", "label:disable")],
    ),
    "mounts of another": ({"volumes_from": ["container:x"]}, [("has the mounts of", "container:x")]),
    "a program": ({"provider": {"type": "x"}}, [("runs a program of the host", "x")]),
    "elsewhere": ({"extends": {"file": "x.yml", "service": "y"}}, [("takes keys from elsewhere", "x.yml")]),
    "a build": (
        {"build": {"context": ".", "privileged": True, "entitlements": ["security.insecure"]}},
        [("is built with privileges, which is root on the host", ""), ("is built with", "security.insecure")],
    ),
    "somebody's nonsense": (
        {"volumes": {"a": 1}, "ports": 3, "networks": 4, "devices": [None], "secrets": [{}], "post_start": "x"},
        [("has devices of the host", "None")],
    ),
}
DECLARED = [
    {
        "volumes": {"data": None, "root": {"driver_opts": {"type": "none", "o": "bind", "device": "/etc"}}},
        "networks": {"hosts": {"name": "host", "external": True}, "lan": {"driver": "macvlan"}},
        "secrets": {"key": {"file": "/etc/shadow"}},
        "configs": {"own": {"file": "./own.cfg"}},
    },
    {"volumes": ["nonsense"], "networks": 3},
]


@pytest.mark.parametrize("name", PORTS)
def test_where_it_listens(name: str) -> None:
    before, after, expected = PORTS[name]

    assert new_exposures(({"ports": before}, []), ({"ports": after}, [])) == tuple((LISTENS, one) for one in expected)


@pytest.mark.parametrize("name", ACCESS)
def test_what_it_has_of_the_host(name: str) -> None:
    service, expected = ACCESS[name]

    assert list(new_exposures(({}, DECLARED), (service, DECLARED))) == expected
    assert new_exposures((service, DECLARED), (service, DECLARED)) == ()


def test_a_volume_that_becomes_a_folder_of_the_host_is_told_of() -> None:
    """Nothing of the service itself has changed then."""

    def files(volume: Any) -> dict[str, Any]:
        service = {"image": "x", "volumes": ["data:/data"]}
        return {"docker-compose.yml": {"name": "p", "services": {"a": service}, "volumes": {"data": volume}}}

    (found,) = service_changes(files({}), files({"driver_opts": {"type": "none", "o": "bind", "device": "/"}}))

    assert found.exposures == ((MOUNTS, "/"), (SOCKET, "/"))


def test_paths_are_told_as_of_a_file_that_has_them_from_its_own_folder() -> None:
    """A folder that the root file names for relative paths is none of the tree."""
    volumes = ["./a:/a:ro", "${B:-./b}:/b:ro", {"type": "bind", "source": "../c", "target": "/c"}, "named:/d"]
    service = {"image": "x", "env_file": ["./e.env"], "volumes": volumes}
    files = {
        "docker-compose.yml": {"name": "p", "include": [{"path": "tiers/a.yml", "project_directory": "../.."}]},
        "tiers/a.yml": {"name": "p", "services": {"a": service}},
    }
    moved = ["../../../a:/a:ro", "${B:-../../../b}:/b:ro", {"type": "bind", "source": "../../../../c", "target": "/c"}]
    same = {
        "docker-compose.yml": {"name": "p", "include": ["tiers/a.yml"]},
        "tiers/a.yml": {
            "name": "p",
            "services": {"a": {**service, "env_file": ["../../../e.env"], "volumes": [*moved, "named:/d"]}},
        },
    }

    (found,) = service_changes({}, files)
    assert found.exposures == (
        (MOUNTS, "../../../a (read-only)"),
        (MOUNTS, "../../../b (read-only)"),
        (MOUNTS, "../../../../c"),
        ("reads files of the host", "../../../e.env"),
    )
    assert service_changes(files, same) == []
