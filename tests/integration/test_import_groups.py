"""Ranks that are imported host by host: the group to write is printed, and says the same as the sources."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from running import anvil_gen

from anvil_gen.deploy.pipeline import Generator

VLLM = """services:
  vllm:
    image: vllm/vllm-openai:v0.33.0
    network_mode: host
    ipc: host
    ulimits: {{memlock: -1, stack: 67108864}}
    devices: [/dev/infiniband:/dev/infiniband]
    cap_add: [IPC_LOCK]
    environment:
      VLLM_HOST_IP: 192.168.100.1{rank}
      NCCL_SOCKET_IFNAME: enp1s0f0np0
      GLOO_SOCKET_IFNAME: enp1s0f0np0
      TP_SOCKET_IFNAME: enp1s0f0np0
      NCCL_IB_HCA: rocep1s0f0,roceP2p1s0f0
      NCCL_IB_GID_INDEX: "3"
      HF_TOKEN: hf_thisisasecretvalue
    volumes: [/srv/models:/models:ro]
    command: >-
      --model /models/qwen3-235b --served-model-name big --tensor-parallel-size 2 --distributed-executor-backend mp
      --nnodes 2 --node-rank {rank} --master-addr 192.168.100.10 --master-port 25001 --max-model-len {length} {own}
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, device_ids: ["0"], capabilities: [gpu]}}]}}}}}}
"""
SGLANG = """services:
  big:
    image: lmsysorg/sglang:v0.5.23
    network_mode: host
    ipc: host
    environment: {{SGLANG_HOST_IP: 10.0.0.{rank}, NCCL_SOCKET_IFNAME: eth1, GLOO_SOCKET_IFNAME: eth1}}
    command: >-
      python3 -m sglang.launch_server --model-path org/big --tp 2 --nnodes 2 --node-rank {rank}
      --dist-init-addr 10.0.0.0:25000 --port 30000 --host 0.0.0.0 --trust-remote-code
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, count: all, capabilities: [gpu]}}]}}}}}}
"""
ALIASES = {"--tp": "--tensor-parallel-size"}
POSITIONAL = {"--model", "--model-path"}  # one of vLLM's spellings of its first argument
OWN = ("--host 0.0.0.0 --port 8000", "--headless")


def vllm(rank: int, **changed: object) -> str:
    return VLLM.format(**{"rank": rank, "length": 32768, "own": OWN[rank], **changed})


def imported(folder: Path, host: str, text: str) -> str:
    """Import a host into a fleet, and return what is said."""
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / f"{host}.yml").write_text(text, "utf-8")
    done = anvil_gen("import", f"{host}.yml", "--output", f"hosts/{host}.toml", cwd=folder)
    assert "Traceback" not in done.stderr
    assert (folder / f"hosts/{host}.toml").exists(), done.stderr
    return done.stderr


def files_of(said: str) -> dict[str, str]:
    """Return the files of the last group that was printed, as a person copies them."""
    block = textwrap.dedent(said.partition("the group, written once:\n")[2].split("\noff:")[0])
    parts = [part for part in ("\n" + block).split("\n# ") if ".toml" in part]
    return {part.partition(".toml")[0] + ".toml": part.partition("\n")[2] for part in parts}


def write_group(folder: Path, said: str, tier: str) -> None:
    """Do what is printed: write the group, and its link in the place of the tier of each host."""
    for name, text in files_of(said).items():
        path = folder / name
        if name.startswith("groups/"):
            path.parent.mkdir()
            path.write_text(text, "utf-8")
        else:
            before = path.read_text("utf-8")
            path.write_text(before[: before.index(f"[tiers.{tier}]")] + text, "utf-8")


def sglang(rank: int) -> str:
    return SGLANG.format(rank=rank)


@pytest.mark.parametrize(("source", "tier"), [(vllm, "vllm"), (sglang, "big")])
def test_a_group_as_it_is_printed_says_what_its_hosts_said(
    tmp_path: Path, source: Callable[[int], str], tier: str
) -> None:
    imported(tmp_path, "spark-a", source(0))
    write_group(tmp_path, imported(tmp_path, "spark-b", source(1)), tier)

    plans = Generator().render_all([tmp_path / "hosts/spark-a.toml", tmp_path / "hosts/spark-b.toml"])
    for rank, plan in enumerate(plans):
        service = plan.tree.data[f"tiers/{tier}.yml"]["services"][tier]
        before = yaml.safe_load(source(rank))["services"][tier]
        asked = {ALIASES.get(word, word) for word in before["command"].split() if word.startswith("--")}
        assert asked - POSITIONAL <= {word.partition("=")[0] for word in service["command"]}
        assert f"--node-rank={rank}" in service["command"]
        said = {name: str(value) for name, value in before["environment"].items() if name != "HF_TOKEN"}
        assert said.items() <= service["environment"].items()


def test_the_first_host_leaves_the_others_open(tmp_path: Path) -> None:
    files = files_of(imported(tmp_path, "spark-a", vllm(0)))

    assert 'hosts = ["spark-a", "HOST-OF-RANK-1"]' in files["groups/vllm.toml"]
    assert "link_port = 25001" in files["groups/vllm.toml"]
    assert files["hosts/spark-a.toml"].strip().splitlines() == [
        "[links.link]",
        'address = "192.168.100.10"',
        'interface = "enp1s0f0np0"',
        'hcas = ["rocep1s0f0", "roceP2p1s0f0"]',
        "gid_index = 3",
    ]


def test_what_two_hosts_say_otherwise_is_named(tmp_path: Path) -> None:
    imported(tmp_path, "spark-a", vllm(0))
    said = imported(tmp_path, "spark-b", vllm(1, length=65536))

    assert "# It differs from rank 0 in: context_length" in said
    assert "context_length = 32768" in files_of(said)["groups/vllm.toml"]


def test_no_secret_is_printed(tmp_path: Path) -> None:
    said = imported(tmp_path, "spark-a", vllm(0))

    assert "hf_thisisasecretvalue" not in said
    assert 'HF_TOKEN = { env = "HF_TOKEN" }' in said


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("--nnodes 2", "--nnodes 1"),
        ("--nnodes 2", "--nnodes 99999999999999999999"),
        ("--nnodes 2", "--nnodes zwei"),
        ("--nnodes 2", "--nnodes ${NODES:-2}"),
        ("--node-rank 0", "--node-rank 7"),
        ("--node-rank 0", "--node-rank -1"),
        ("--master-addr 192.168.100.10", ""),
    ],
)
def test_what_cannot_be_a_group_prints_none(tmp_path: Path, before: str, after: str) -> None:
    assert "the group, written once" not in imported(tmp_path, "spark-a", vllm(0).replace(before, after))


def test_inventories_next_to_it_that_cannot_be_read_are_no_ranks(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/broken.toml").write_text("[tiers\n")
    (tmp_path / "hosts/odd.toml").write_text("tiers = 3\n")
    (tmp_path / "hosts/ödd.toml").write_text('[tiers]\nvllm = "x"\n', "utf-8")

    assert "HOST-OF-RANK-1" in imported(tmp_path, "spark-a", vllm(0))
