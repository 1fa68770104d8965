"""TCP ports of this machine: whether one is taken, by whom, and which is free."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from anvil_gen.diagnostics import printable

PortState = Literal["free", "taken", "no such address"]
_LISTENING = "0A"
_HIGHEST = 65535


class Holder(Struct, frozen=True, kw_only=True):
    """A process that listens on a port."""

    pid: int
    name: str


def port_state(host: str, port: int) -> PortState:
    """Return whether a program could listen at an address of this machine; an IPv6 address may have brackets."""
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # On Windows the same option would let two processes share a port.
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return "no such address"
        return "taken" if error.errno == errno.EADDRINUSE else "free"
    return "free"


def is_taken(host: str, port: int) -> bool:
    """Tell whether something listens at an address of this machine already."""
    return port_state(host, port) == "taken"


def free_port(first: int, host: str = "127.0.0.1", *, taken: Callable[[str, int], bool] = is_taken) -> int | None:
    """Return the first free port from ``first`` on; None where there is none."""
    return next((port for port in range(first, _HIGHEST + 1) if not taken(host, port)), None)


def holder_of(port: int, *, proc: Path = Path("/proc")) -> Holder | None:
    """Return the process that listens on a port; None where the kernel does not tell, as for those of other users."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return None
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if any(link.readlink().name in sockets for link in (folder / "fd").iterdir() if link.is_symlink()):
                return Holder(pid=int(folder.name), name=(folder / "comm").read_text("utf-8").strip())
    return None


def describe_holder(port: int, *, proc: Path = Path("/proc"), system: str = sys.platform) -> tuple[str, str]:
    """Describe the process that listens on a port, and return the command that ends it, or else finds it."""
    holder = holder_of(port, proc=proc)
    if holder is not None:
        return f'"{printable(holder.name)}" (process {holder.pid})', f"kill {holder.pid}"
    find = f"netstat -ano | findstr :{port}" if system == "win32" else f"sudo ss -ltnp 'sport = :{port}'"
    return "a process on this host", find


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
