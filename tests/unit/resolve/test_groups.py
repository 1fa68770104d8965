"""One model over several hosts: what each rank gets of the one definition."""

from __future__ import annotations

import difflib
from pathlib import Path

from group_fleets import GROUP, command, edit, pair, service, write_pair, write_paths

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.model import GROUP_LABEL


def test_ranks_differ_in_nothing_but_their_place_and_what_the_head_alone_does(tmp_path: Path) -> None:
    head, worker = pair(tmp_path)

    assert command(head) - command(worker) == {"--node-rank=0", "--host=192.168.100.10", "--port=8001"}
    assert command(worker) - command(head) == {"--node-rank=1", "--headless"}
    assert {"--nnodes=2", "--master-addr=192.168.100.10", "--tensor-parallel-size=2"} <= command(worker)
    assert "healthcheck" in service(head)
    assert "healthcheck" not in service(worker)


def test_each_rank_has_its_own_link_and_all_variables_of_it(tmp_path: Path) -> None:
    for plan, address in zip(pair(tmp_path), ("192.168.100.10", "192.168.100.11"), strict=True):
        found = service(plan)

        assert (
            found["environment"]
            | {
                "VLLM_HOST_IP": address,
                "NCCL_SOCKET_IFNAME": "enp1s0f0np0",
                "GLOO_SOCKET_IFNAME": "enp1s0f0np0",
                "TP_SOCKET_IFNAME": "enp1s0f0np0",
                "NCCL_IB_HCA": "rocep1s0f0,roceP2p1s0f0",
                "NCCL_IB_GID_INDEX": "3",
            }
            == found["environment"]
        )
        assert (found["network_mode"], found["ipc"], found["ulimits"]["memlock"]) == ("host", "host", -1)
        assert found["devices"] == ["/dev/infiniband"]
        assert "IPC_LOCK" in found["cap_add"]
        assert "ports" not in found


def test_a_link_without_adapters_takes_nothing_for_rdma(tmp_path: Path) -> None:
    paths = write_pair(tmp_path)
    for path in paths:
        edit(path, 'hcas = ["rocep1s0f0", "roceP2p1s0f0"]\ngid_index = 3\n', "")

    for plan in Generator().render_all(paths):
        found = service(plan)
        assert "devices" not in found
        assert not any("_IB_" in name for name in found["environment"])
        assert found["environment"]["NCCL_SOCKET_IFNAME"] == "enp1s0f0np0"


def test_the_router_of_the_head_reaches_it_at_the_hosts_address_and_its_check_asks_there(tmp_path: Path) -> None:
    head, _ = pair(tmp_path)

    assert "server big 192.168.100.10:8001\n" in head.tree.files["router/haproxy.cfg"]
    assert "http://192.168.100.10:8001/health" in service(head)["healthcheck"]["test"][-1]


def test_another_hosts_router_reaches_the_group_by_the_heads_router(tmp_path: Path) -> None:
    first = '\n[router]\nbind = "0.0.0.0"\napi_key_env = "KEY"\n'
    write_pair(tmp_path, first=first)
    edit(tmp_path / "hosts/spark-a.toml", 'architecture = "arm64"', 'architecture = "arm64"\naddress = "10.0.0.10"')
    front = tmp_path / "hosts/front.toml"
    router = '[router]\nhosts = ["spark-a"]\napi_key_env = "KEY"\n'
    front.write_text(f'schema = 1\n\n{router}\n[tiers.own]\nengine = "custom"\nimage = "x"\nport = 9000\n')

    assert "10.0.0.10" in Generator().render(front).tree.files["router/haproxy.cfg"]


def test_a_worker_is_nobodys_to_ask(tmp_path: Path) -> None:
    _, worker = pair(tmp_path, second="\n[router]\n")

    assert "192.168.100" not in worker.tree.files["router/haproxy.cfg"]
    assert "big" not in worker.tree.files["router/models.json"]


def test_a_changed_flag_is_one_line_on_each_host(tmp_path: Path) -> None:
    before = pair(tmp_path)
    edit(tmp_path / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")
    after = Generator().render_all([plan.host.path for plan in before])

    for old, new in zip(before, after, strict=True):
        one, other = (plan.tree.files["tiers/big.yml"].splitlines() for plan in (old, new))
        changed = [line for line in difflib.ndiff(one, other) if line[0] in "+-"]
        assert changed == ["-       - --max-model-len=32768", "+       - --max-model-len=65536"]


def test_what_changes_on_one_host_recreates_the_ranks_of_the_others(tmp_path: Path) -> None:
    before = [service(plan)["labels"][GROUP_LABEL] for plan in pair(tmp_path)]
    edit(tmp_path / "hosts/spark-b.toml", "enp1s0f0np0", "enp1s0f1np1")
    after = [service(plan)["labels"][GROUP_LABEL] for plan in Generator().render_all(write_paths(tmp_path))]

    assert len({*before}) == len({*after}) == 1
    assert before != after


def test_a_flag_recreates_a_worker_that_is_another_program(tmp_path: Path) -> None:
    edit_of = GROUP.replace('link = "roce"', 'link = "roce"\nexecutor = "ray"')
    before = pair(tmp_path, group=edit_of)
    edit(tmp_path / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")
    after = Generator().render_all(write_paths(tmp_path))

    labels = [[service(plan)["labels"][GROUP_LABEL] for plan in plans] for plans in (before, after)]
    assert labels[0][0] == labels[1][0]
    assert labels[0][1] != labels[1][1]


def test_ray_has_a_head_that_serves_and_workers_that_join_it(tmp_path: Path) -> None:
    head, worker = pair(tmp_path, group=GROUP.replace('link = "roce"', 'link = "roce"\nexecutor = "ray"'))

    assert service(head)["entrypoint"][:2] == ["bash", "-c"]
    assert service(head)["entrypoint"][2].startswith(
        "ray start --head --node-ip-address=192.168.100.10 --port=6379 --num-gpus=1 "
    )
    assert "--distributed-executor-backend=ray" in command(head)
    assert not any("nnodes" in word or "node-rank" in word for word in command(head))
    assert service(worker)["entrypoint"] == ["ray", "start"]
    assert service(worker)["command"] == [
        "--address=192.168.100.10:6379",
        "--node-ip-address=192.168.100.11",
        "--num-gpus=1",
        "--disable-usage-stats",
        "--block",
    ]


def test_sglang_says_the_same_in_its_own_flags(tmp_path: Path) -> None:
    group = GROUP.replace('engine = "vllm"', 'engine = "sglang"\nimage = "lmsysorg/sglang:v0.5.23"')
    head, worker = pair(tmp_path, group=group)

    own = {"--node-rank=0", "--host=192.168.100.10"}
    assert own <= command(head)
    assert command(head) - own == command(worker) - {"--node-rank=1", "--host=192.168.100.11"}
    assert {"--nnodes=2", "--dist-init-addr=192.168.100.10:25000"} <= command(worker)


LLAMA = """schema = 1
hosts = ["spark-a", "spark-b"]
link = "roce"

[tiers.big]
engine = "llamacpp"
image = "registry.example/llama-rpc:1"
model = { file = "big.gguf" }
"""


def test_llama_lends_layers_to_a_worker_that_reads_no_weights(tmp_path: Path) -> None:
    head, worker = pair(tmp_path, group=LLAMA)

    words = service(head)["command"]
    assert words[words.index("--rpc") + 1] == "192.168.100.11:50052"
    assert service(head)["ports"] == ["127.0.0.1:8080:8080"]
    assert "server big big:8080" in head.tree.files["router/haproxy.cfg"]
    assert service(worker)["entrypoint"] == ["/app/ggml-rpc-server"]
    assert service(worker)["command"] == ["--host", "0.0.0.0", "--port", "50052", "--cache"]
    assert service(worker)["ports"] == ["192.168.100.11:50052:50052"]
    assert [mount["type"] for mount in service(worker)["volumes"]] == ["volume"]


# What somebody does to one of the two hosts, or to the group -> what is reported, and where.
