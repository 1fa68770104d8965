"""What a whole `anvil-gen render` costs, against the `docker compose config -q` that reads its result.

Two versions of an inventory are rendered in turn, so that every run writes. The commands run interleaved, so that a
noisy machine hits both alike; medians and their ratio are printed.

    .venv/bin/python benchmarks/render.py [--runs 31] [--program PATH]

Measure an installed wheel, whose modules are compiled: by default one is built and installed into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from compose_cli import compose_command  # noqa: E402


def main() -> None:
    """Measure, and print one line a command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=31, help="runs of each command (default 31)")
    parser.add_argument("--program", help="the anvil-gen to measure, instead of a fresh install")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        program = options.program or install(Path(scratch) / "venv")
        folder = Path(scratch) / "fleet"
        versions = two_inventories()
        compose, env = compose_as_plugin(Path(scratch) / "docker")
        (folder / "hosts").mkdir(parents=True)
        renders: list[float] = []
        configs: list[float] = []
        pythons: list[float] = []
        for run in range(-2, options.runs):  # the first two fill caches
            (folder / "hosts" / "box.toml").write_text(versions[run % 2], "utf-8")
            took = (
                seconds([program, "render", "box"], folder),
                seconds([*compose, "config", "-q"], folder / "deploy" / "box", env),
                seconds([str(Path(program).parent / "python"), "-c", "pass"], folder),
            )
            if run >= 0:
                for times, value in zip((renders, configs, pythons), took, strict=True):
                    times.append(value)
    named = (("anvil-gen render", renders), (f"{' '.join(compose[-2:])} config -q", configs), ("bare Python", pythons))
    for name, times in named:
        print(f"{name:26} median {1000 * statistics.median(times):6.1f} ms   min {1000 * min(times):6.1f} ms")
    print(f"render / config            {statistics.median(renders) / statistics.median(configs):6.2f}")


def install(folder: Path) -> str:
    """Install this repository as a user would, and return its program."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", str(REPOSITORY)], check=True)
    return str(folder / "bin" / "anvil-gen")


def two_inventories() -> tuple[str, str]:
    """Return two versions of the reference inventory, whose trees differ in nearly every file."""
    text = (REPOSITORY / "hosts" / "fakoli-dark.toml").read_text("utf-8")
    text = text.replace('output = "../examples/fakoli-dark"\n', "")
    return text, text.replace("C:/Users", "D:/Users").replace("0.90", "0.80").replace("ROUTER_TOKEN", "ROUTER_KEY")


def compose_as_plugin(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command `docker compose` and its environment, also where Compose stands in `.tools/` alone.

    The plugin is what people run; without Docker's own command line, which starts it, the binary itself is measured.
    """
    command = compose_command()
    if len(command) > 1 or shutil.which("docker") is None:
        return command, {}
    (folder / "cli-plugins").mkdir(parents=True)
    (folder / "cli-plugins" / "docker-compose").symlink_to(command[0])
    return ["docker", "compose"], {"DOCKER_CONFIG": str(folder)}


def seconds(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> float:
    """Run a command and return how long it took."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
