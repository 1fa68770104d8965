"""A pair of hosts with one group, written into a folder; a test changes what it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plans import commit, git

from anvil_gen.deploy.pipeline import Generator, write_trees
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic, DiagnosticError

LINK = """
[links.roce]
address = "192.168.100.{number}"
interface = "enp1s0f0np0"
hcas = ["rocep1s0f0", "roceP2p1s0f0"]
gid_index = 3
"""
GPUS = """
[gpus.gb10]
uuid = "GPU-d0f446cf-1771-414c-e116-a391387{number}a8c"
memory_mib = 122880
compute_capability = "12.1"
"""
HOST = 'schema = 1\n\n[host]\narchitecture = "arm64"\n\n[paths]\nmodels = "/srv/models"\n'
GROUP = """schema = 1
hosts = ["spark-a", "spark-b"]
link = "roce"

[tiers.big]
engine = "vllm"
gpus = { spark-a = ["gb10"], spark-b = ["gb10"] }
model = { path = "big-awq" }
context_length = 32768
"""


def host_text(number: int, further: str = "") -> str:
    """Return an inventory of the pair: the number is the last part of its address."""
    return HOST + LINK.format(number=number) + GPUS.format(number=number) + further


def write_pair(
    folder: Path, *, group: str = GROUP, first: str = "\n[router]\n", second: str = "", name: str = "sparks"
) -> tuple[Path, Path]:
    """Write the pair, what is added to each host among it, and return both inventories."""
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "groups").mkdir(exist_ok=True)
    paths = folder / "hosts/spark-a.toml", folder / "hosts/spark-b.toml"
    for path, number, further in zip(paths, (10, 11), (first, second), strict=True):
        path.write_text(host_text(number, further))
    (folder / f"groups/{name}.toml").write_text(group)
    return paths


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that a file has."""
    text = path.read_text()
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new))


def repository(folder: Path) -> Path:
    """Return the pair as a fleet with a git history, rendered and committed."""
    write_trees(Generator().render_all(write_pair(folder, first="")))
    (folder / ".gitignore").write_text(".anvil-gen/\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def pair(folder: Path, **texts: str) -> list[Plan]:
    return Generator().render_all(write_pair(folder, **texts))


def service(plan: Plan, name: str = "big") -> dict[str, Any]:
    found: dict[str, Any] = plan.tree.data[f"tiers/{name}.yml"]["services"][name]
    return found


def command(plan: Plan) -> set[str]:
    return set(service(plan)["command"])


def errors(folder: Path) -> list[Diagnostic]:
    """Return the errors of rendering both hosts."""
    with pytest.raises(DiagnosticError) as caught:
        Generator().render_all(sorted((folder / "hosts").glob("*.toml")))
    return [*caught.value.diagnostics]


def write_paths(folder: Path) -> list[Path]:
    return [folder / "hosts/spark-a.toml", folder / "hosts/spark-b.toml"]
