"""The real Ray: two hosts, each in a network namespace, form the cluster by the commands that are rendered for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from group_fleets import GROUP, write_pair

from anvil_gen.deploy.pipeline import Generator
from e2e.engine import Engine
from e2e.materials import CACHE

RAY = "ray==2.60.0"
NODES = {"head": "192.168.100.10", "worker": "192.168.100.11"}
START_SECONDS = 450
# In place of vLLM: it tells what it was started with, and which nodes the cluster has once both are there.
VLLM = """#!{python}
import sys, time
import ray
print("FLAG", "--distributed-executor-backend=ray" in sys.argv, flush=True)
ray.init(address="auto", logging_level="ERROR")
nodes = []
while len(nodes) < 2:
    time.sleep(0.5)
    nodes = sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"])
print("NODES", *nodes, flush=True)
"""


@pytest.fixture(scope="module")
def programs(engine: Engine) -> Path:
    """Return a folder with Ray's programs, installed once."""
    folder = CACHE / RAY.replace("==", "-")
    if not (folder / "bin" / "ray").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        with engine.outside():
            subprocess.run([folder / "bin" / "pip", "install", "--quiet", RAY], check=True, capture_output=True)
    return folder / "bin"


@contextmanager
def namespaces() -> Iterator[dict[str, str]]:
    """Make a network for each host, with a cable between them; what still runs there is ended with it."""
    names = {node: f"anvil-{node}-{os.getpid()}" for node in NODES}
    try:
        for name in names.values():
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        head, worker = names.values()
        _ip("link", "add", "cable", "netns", head, "type", "veth", "peer", "name", "cable", "netns", worker)
        for node, name in names.items():
            _ip("-n", name, "address", "add", f"{NODES[node]}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
        yield names
    finally:
        for name in names.values():
            for pid in _ip("netns", "pids", name).split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            _ip("netns", "del", name)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def start(name: str, service: dict[str, Any], path: str, home: Path) -> subprocess.Popen[str]:
    """Start the service's own command in a network; Compose turns a doubled dollar into one."""
    words = [word.replace("$$", "$") for word in (*service["entrypoint"], *service["command"])]
    # The path of a socket is limited, and Ray's are long.
    temporary = Path("/tmp") / name
    environment = {key: value for key, value in service["environment"].items() if value is not None}
    environment |= {"PATH": path, "HOME": str(home), "RAY_TMPDIR": str(temporary)}
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        ["ip", "netns", "exec", name, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_rendered_commands_form_the_cluster(programs: Path, tmp_path: Path) -> None:
    group = GROUP.replace('link = "roce"', 'link = "roce"\nexecutor = "ray"')
    group = group.replace('spark-a = ["gb10"], spark-b = ["gb10"]', "spark-a = [], spark-b = []")
    plans = Generator().render_all(write_pair(tmp_path, group=group, first=""))
    services = [plan.tree.data["tiers/big.yml"]["services"]["big"] for plan in plans]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/vllm").write_text(VLLM.format(python=programs / "python"))
    (tmp_path / "bin/vllm").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{programs}:/usr/sbin:/usr/bin:/sbin:/bin"

    with ExitStack() as stack:
        names = stack.enter_context(namespaces())
        head = start(names["head"], services[0], path, tmp_path)
        # A worker that finds no head ends, and Docker's restart policy starts it again.
        deadline = time.monotonic() + START_SECONDS
        worker = start(names["worker"], services[1], path, tmp_path)
        while head.poll() is None and time.monotonic() < deadline:
            if worker.poll() is not None:
                worker = start(names["worker"], services[1], path, tmp_path)
            time.sleep(1)
        head.kill()
        said = head.stdout.read() if head.stdout is not None else ""

    assert "FLAG True" in said
    assert f"NODES {NODES['head']} {NODES['worker']}" in said
