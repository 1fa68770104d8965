"""Time `status`, and an `up` that changes nothing, against the compose commands that they wrap.

    scripts/with-engine .venv/bin/python benchmarks/operate.py

Two tiers of a stand-in image run in a project of the benchmark's own, which is removed at the end. The commands are
run in turn, as whole processes, so that a busy machine hits all of them alike. Prints the median of each in
milliseconds, and what is allowed: 1.3 times the command that is wrapped, plus 100 ms.
"""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

RUNS = 21
INVENTORY = """schema = 1
[host]
project = "anvil-gen-benchmark"
[defaults]
engine = "custom"
image = "ghcr.io/ggml-org/llama.cpp:server"
bind = false
entrypoint = ["/bin/sleep", "3600"]
stop_grace_period = "1s"
[tiers.one]
container_name = "anvil-gen-benchmark-one"
port = 30000
[tiers.two]
container_name = "anvil-gen-benchmark-two"
port = 30001
"""


def run(command: Sequence[str], folder: Path) -> float:
    """Run a command in a folder, and return its wall time in milliseconds."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Run the benchmark."""
    anvil_gen = str(Path(sys.executable).with_name("anvil-gen"))
    # As in an installed program: a clone's modules may be compiled anew in each run.
    compileall.compile_dir(Path(__file__).resolve().parent.parent / "anvil_gen", quiet=1)
    with tempfile.TemporaryDirectory() as name:
        fleet = Path(name)
        (fleet / "hosts").mkdir()
        (fleet / "hosts" / "box.toml").write_text(INVENTORY, "utf-8")
        tree = fleet / "deploy" / "box"
        commands = {
            "docker compose ps": (["docker", "compose", "ps"], tree),
            "anvil-gen status": ([anvil_gen, "status", "box"], fleet),
            "docker compose up -d": (["docker", "compose", "up", "-d"], tree),
            "anvil-gen up": ([anvil_gen, "up", "box"], fleet),
        }
        run([anvil_gen, "render", "box"], fleet)
        try:
            run([anvil_gen, "up", "box"], fleet)
            times: dict[str, list[float]] = {what: [] for what in commands}
            for _ in range(RUNS):
                for what, command in commands.items():
                    times[what].append(run(*command))
        finally:
            run([anvil_gen, "down", "box"], fleet)
    medians = {what: statistics.median(values) for what, values in times.items()}
    pairs = (("docker compose ps", "anvil-gen status"), ("docker compose up -d", "anvil-gen up"))
    for wrapped, ours in pairs:
        allowed = medians[wrapped] * 1.3 + 100
        click.echo(f"{wrapped:22} {medians[wrapped]:6.0f} ms")
        click.echo(f"{ours:22} {medians[ours]:6.0f} ms, {allowed:.0f} allowed")


if __name__ == "__main__":
    main()
