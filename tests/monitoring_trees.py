"""What `[monitoring]` renders for a host, for tests that look at parts of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from running import fleet

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.model import Tree

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
path = "/srv/huggingface"
[gpus.left]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
reserve_mib = 1024
[gpus.right]
uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
memory_mib = 24576
[tiers.chat]
engine = "vllm"
gpus = ["left"]
port = 30000
model = { repo = "org/chat" }
max_sequences = 32
gpu_memory_utilization = 0.5
start_period = "20m"
[tiers.small]
engine = "llamacpp"
gpus = ["right"]
port = 30001
model = { file = "small.gguf" }
max_sequences = 2
[tiers.vectors]
engine = "ollama"
task = "embedding"
port = 30002
model = { repo = "nomic-embed-text" }
[router]
"""
TEMPLATES = Path(tempfile.mkdtemp(prefix="anvil-gen-test-templates-"))
"""Compiled once for all tests here."""
ON = "\n[monitoring]\n"


def rendered(folder: Path, text: str = INVENTORY + ON, **others: str) -> Tree:
    fleet(folder, box=text, **others)
    return Generator(cache=TEMPLATES).render(folder / "hosts" / "box.toml").tree


def alerts(tree: Tree) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the alerts by name and what each is of."""
    rules = [rule for group in tree.data["monitoring/rules.yaml"]["groups"] for rule in group["rules"]]
    return {
        (rule["alert"], rule["labels"].get("tier") or rule["labels"].get("gpu", "")): rule
        for rule in rules
        if "alert" in rule
    }


def records(tree: Tree) -> dict[str, str]:
    groups = tree.data["monitoring/rules.yaml"]["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}


def jobs(tree: Tree) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in tree.data["monitoring/prometheus.yaml"]["scrape_configs"]}


def targets(job: Mapping[str, Any]) -> list[str]:
    return [target for one in job["static_configs"] for target in one["targets"]]


def panels(tree: Tree, name: str) -> Iterator[dict[str, Any]]:
    yield from tree.data[f"monitoring/dashboards/{name}.json"]["panels"]
