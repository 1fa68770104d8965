"""What tiers take of their GPUs, in a plan and in the comment of a pull request: by the facts of a lock."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from anvil_gen.cli.views.plan import plan_json, plan_lines
from anvil_gen.cli.views.plan_markdown import comment
from anvil_gen.deploy.pipeline import Generator, write_trees
from anvil_gen.review.host_plan import HostPlan, against_disk

INVENTORY = """schema = 1
hfcache.volume = "hub"
[gpus.a]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
[gpus.b]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8d"
memory_mib = 24576
[tiers.chat]
engine = "vllm"
gpus = ["a"]
port = 30000
model = { repo = "org/chat" }
context_length = 16384
[tiers.other]
engine = "vllm"
gpus = ["b"]
port = 30001
model = { repo = "org/unknown" }
"""
LOCK = """lock = 1
[models."org/chat"]
commit = "0123456789abcdef0123456789abcdef01234567"
facts.architecture = "Qwen3ForCausalLM"
facts.layers = "F*36"
facts.attention = { kv_heads = 8, head_dim = 128 }
facts.max_context = 40960
facts.bytes = { language = 8000000000 }
"""


def plan_of(folder: Path, inventory: str = INVENTORY, lock: str = LOCK) -> HostPlan:
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts/box.toml").write_text(inventory)
    if lock:
        (folder / "locks").mkdir(exist_ok=True)
        (folder / "locks/box.toml").write_text(lock)
    generator = Generator()
    (plan,) = against_disk([generator.render(folder / "hosts/box.toml")], generator)
    return plan


def test_the_numbers_are_in_every_form_of_a_plan(tmp_path: Path) -> None:
    """Those of `fit`, of the tiers that are known."""
    plan = plan_of(tmp_path)
    text = [click.unstyle(line) for line in plan_lines(plan)]
    found = plan_json(plan)["fit"]["tiers"]

    (line,) = [one for one in text if one.startswith("fit: ")]
    assert line.startswith("fit: chat fits: weights 7.45 GiB to 7.47 GiB, cache ")
    assert "of 16,384, longest context 40,960" in line
    assert [(one["tier"], one["verdict"], one["weights_gib"]) for one in found] == [
        ("chat", "fits", pytest.approx(7.45, abs=0.01))
    ]
    report = comment([plan])
    assert "| `chat` | **fits** | 7.45 GiB to 7.47 GiB |" in report
    assert "GPU memory" in report


def test_the_gpus_of_these_tiers_have_a_bar(tmp_path: Path) -> None:
    """Nobody asks for the others."""
    plan = plan_of(tmp_path)

    assert plan.fit is not None
    assert [one.gpu for one in plan.fit.gpus] == ["a"]
    assert [line for line in map(click.unstyle, plan_lines(plan)) if line.endswith("a, default: fits")]


def test_what_does_not_change_is_not_shown(tmp_path: Path) -> None:
    """A plan is about a change."""
    generator = Generator()
    plan_of(tmp_path)
    write_trees([generator.render(tmp_path / "hosts/box.toml")])
    plan = plan_of(tmp_path, INVENTORY.replace("port = 30001", "port = 30002"))

    assert [one.service for one in plan.services] == ["other"]
    assert plan.fit is None


def test_without_a_lock_nothing_is_said(tmp_path: Path) -> None:
    """A plan is the same on every machine."""
    assert plan_of(tmp_path, lock="").fit is None
