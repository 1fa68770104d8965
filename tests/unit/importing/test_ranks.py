"""Compose files of one host among several that serve a model: an import says so, and loses nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from group_fleets import GROUP, write_pair

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.importing.ranks import rank_note
from anvil_gen.importing.run import Request, run_import

CATALOG = Catalog()
GROUPS = {
    "vllm": GROUP,
    "ray": GROUP.replace('link = "roce"', 'link = "roce"\nexecutor = "ray"'),
    "sglang": GROUP.replace('"vllm"', '"sglang"'),
    "llamacpp": """schema = 1
hosts = ["spark-a", "spark-b"]
link = "roce"

[tiers.big]
engine = "llamacpp"
image = "registry.example/llama-rpc:1"
model = { file = "big.gguf" }
""",
}
SIGNS = {
    "vllm": ("--master-addr, --nnodes, --node-rank", "--headless, --master-addr, --nnodes, --node-rank"),
    "ray": ("ray start", "ray start"),
    "sglang": ("--dist-init-addr, --nnodes, --node-rank", "--dist-init-addr, --nnodes, --node-rank"),
    "llamacpp": ("--rpc", "ggml-rpc-server"),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_each_rank_that_is_rendered_is_known_for_one(kind: str, tmp_path: Path) -> None:
    plans = Generator().render_all(write_pair(tmp_path, group=GROUPS[kind], first=""))
    engine = "vllm" if kind == "ray" else kind

    for plan, signs in zip(plans, SIGNS[kind], strict=True):
        note = rank_note(CATALOG, engine, "big", plan.tree.data["tiers/big.yml"]["services"]["big"])
        assert note is not None
        assert f"({signs})" in note
        assert "groups/NAME.toml" in note


def test_an_import_keeps_what_only_a_rank_is_told_and_says_where_it_belongs(tmp_path: Path) -> None:
    source = tmp_path / "compose.yml"
    command = "serve org/name --tensor-parallel-size 2 --nnodes 2 --node-rank 1 --master-addr 10.0.0.1 --headless"
    source.write_text(
        "services: {big: {image: 'vllm/vllm-openai:v0.33.0', network_mode: host, entrypoint: [vllm], "
        f"command: '{command}', environment: {{VLLM_HOST_IP: 10.0.0.2}}}}}}\n"
    )
    result = run_import(Request(sources=[str(source)], output=tmp_path / "hosts/spark-b.toml"), Generator())

    assert len([note for note in result.notes if "groups/NAME.toml" in note]) == 1
    for kept in ("nnodes = 2", "node-rank = 1", 'master-addr = "10.0.0.1"', "headless = true", "10.0.0.2"):
        assert kept in result.imported.text


@pytest.mark.parametrize(
    ("engine", "command"),
    [
        ("vllm", "serve org/name --tensor-parallel-size 2"),
        ("vllm", "serve org/name --nnodes 1 --node-rank 0"),
        ("sglang", "--model-path org/name --nnodes=1 --node-rank=0"),
        ("vllm", "serve org/name --headless-of-another-kind"),
        ("llamacpp", "-m /m/x.gguf --rpcx 1"),
        ("tei", "--model-id org/name --nnodes 2"),
        ("", "serve --nnodes 2"),
    ],
)
def test_a_server_of_one_host_is_none(engine: str, command: str) -> None:
    assert rank_note(CATALOG, engine, "big", {"image": "x", "command": command}) is None
