"""What reloads a router, against a master that is made up."""

from __future__ import annotations

import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from places import REPOSITORY

SCRIPT = REPOSITORY / "examples" / "cpu-demo" / "router" / "reload.sh"
STATE = "1\n# be_id be_name srv_id srv_name srv_addr\n3 small 1 small 172.18.0.3\n\n"


class Master:
    """A router that is too busy, a few times, to say where its tiers are."""

    def __init__(self, *, busy: int) -> None:
        self.busy, self.commands, self.has_reloaded, self.status = busy, list[str](), False, "200 OK"
        self.further = ""

    def answer(self, command: str) -> str:
        """Answer a command of the master, or a request for the health."""
        if command.startswith("GET"):
            said = f'"ROUTER_FILE_x": "{"new" if self.has_reloaded else "old"}"{self.further}'
            return f"HTTP/1.0 {self.status}\r\n\r\n{{{said}}}"
        self.commands.append(command)
        if command == "reload":
            self.has_reloaded = True
            return "Success=1\n"
        self.busy -= 1
        return "" if self.busy >= 0 else STATE

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a free port."""
        master = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(master.answer(self.rfile.readline().decode().strip()).encode())

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_address[1]
            server.shutdown()


def run(port: int, folder: Path, *arguments: str, digest: str = "new") -> subprocess.CompletedProcess[str]:
    """Run the script against what listens on a port, up to where it would begin to watch."""
    text = SCRIPT.read_text("utf-8").replace("/dev/shm/servers", str(folder / "servers"))
    text = text.replace("127.0.0.1/64002", f"127.0.0.1/{port}").replace("127.0.0.1/64001", f"127.0.0.1/{port}")
    script = folder / "reload.sh"
    script.write_text(text.replace("while ask", "exit 0\nwhile ask"), "utf-8")
    return subprocess.run(
        ["bash", script, *arguments],
        env={**os.environ, "ROUTER_FILE_x": digest},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_router_that_is_too_busy_is_waited_for(tmp_path: Path) -> None:
    """Its addresses and its sockets would be lost, and requests with them."""
    master = Master(busy=2)
    with master.listening() as port:
        done = run(port, tmp_path)

    assert (done.returncode, done.stdout) == (0, "Success=1\n"), done.stderr
    assert master.commands == ["@1 show servers state;quit"] * 3 + ["reload"]
    assert (tmp_path / "servers").read_text("utf-8").split() == STATE.split()


def test_the_check_waits_for_the_files_and_for_the_tiers(tmp_path: Path) -> None:
    """A process that looks for its tiers runs the files already: it is not to be reloaded again."""
    master = Master(busy=0)
    with master.listening() as port:
        assert run(port, tmp_path, "check").returncode == 1
        assert run(port, tmp_path, "check", digest="old").returncode == 0
        master.status = "503 Service Unavailable"
        assert run(port, tmp_path, "check", digest="old").returncode == 1
        assert run(port, tmp_path, digest="old").returncode == 0
    assert master.commands == []


def test_a_tier_that_the_router_still_has_is_a_difference(tmp_path: Path) -> None:
    """Its digest is not among those that are wanted."""
    master = Master(busy=0)
    master.further = ', "ROUTER_TIER_gone": "1"'
    with master.listening() as port:
        assert run(port, tmp_path, "check", digest="old").returncode == 1
        master.further = ""
        assert run(port, tmp_path, "check", digest="old").returncode == 0
