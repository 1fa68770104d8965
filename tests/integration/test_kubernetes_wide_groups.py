"""A model over more than two hosts for Kubernetes: one template for all workers. No cluster is asked."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from group_fleets import GROUP, edit, host_text, write_pair
from kube_claims import is_selected, selectors
from kube_objects import Object, Objects, built, nodes_of, problems
from kube_schemas import VERSIONS, validate

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

HOSTS = ["spark-a", "spark-b", "spark-c", "spark-d"]
TCP = '\n[kubernetes]\nwithout = ["links.roce.hcas"]\n'
ROUTER = '\n[router]\n\n[hfcache]\npath = "/srv/hf"\n'
GROUPS = {
    "vllm": GROUP,
    "sglang": GROUP.replace('"vllm"', '"sglang"'),
    "llamacpp": GROUP.replace('"vllm"', '"llamacpp"\nimage = "registry.example/llama:1"').replace(
        'path = "big-awq"', 'file = "big.gguf"'
    ),
    "from the hub": GROUP.replace('path = "big-awq"', 'repo = "example/big"'),
}


def write_four(folder: Path, engine: str = "vllm") -> None:
    group = GROUPS[engine].replace('"spark-a", "spark-b"', ", ".join(f'"{name}"' for name in HOSTS))
    gpus = ", ".join(f'{name} = ["gb10"]' for name in HOSTS)
    write_pair(folder, group=group.replace('spark-a = ["gb10"], spark-b = ["gb10"]', gpus))
    for number, name in enumerate(HOSTS, start=10):
        (folder / f"hosts/{name}.toml").write_text(host_text(number, ROUTER + TCP), "utf-8")


def rendered(folder: Path, host: str = "spark-a", target: str = "kubernetes") -> dict[str, str]:
    return dict(Generator().render(folder / "hosts" / f"{host}.toml", target=target).tree.files)


@cache
def four(engine: str = "vllm") -> list[Object]:
    """Return what is rendered of the head of four hosts."""
    with TemporaryDirectory() as name:
        write_four(Path(name), engine)
        for path, content in rendered(Path(name)).items():
            (Path(name) / "out" / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(name) / "out" / path).write_text(content, "utf-8")
        return built(Path(name) / "out")


def group_of(documents: list[Object]) -> Any:
    return Objects(documents).of("LeaderWorkerSet")["big-ranks"]["spec"]["leaderWorkerTemplate"]


@pytest.mark.parametrize("engine", GROUPS)
def test_schemas_accept_it_and_its_objects_fit_together(engine: str) -> None:
    for one in four(engine):
        for version in (VERSIONS[0], VERSIONS[-1]):
            validate(one, version)
    assert problems(four(engine)) == []


def test_each_worker_is_alone_on_one_of_the_hosts() -> None:
    group = group_of(four())

    assert group["size"] == len(HOSTS)
    assert nodes_of(group["leaderTemplate"]) == {"spark-a"}
    assert nodes_of(group["workerTemplate"]) == {"spark-b", "spark-c", "spark-d"}
    (apart,) = group["workerTemplate"]["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert apart["topologyKey"] == "kubernetes.io/hostname"


def test_a_worker_gets_the_gpu_of_its_host() -> None:
    expression, count = selectors(four())["big-workers-gpus"]
    uuids = [f"GPU-d0f446cf-1771-414c-e116-a391387{number}a8c" for number in range(9, 15)]

    assert count == 1
    assert [is_selected(expression, uuid) for uuid in uuids] == [False, False, True, True, True, False]


def test_folders_are_those_of_every_host_and_caches_those_of_each_pod() -> None:
    volumes = {
        name: (one["spec"]["local"]["path"], one["spec"]["accessModes"], _values(one))
        for name, one in Objects(four("from the hub")).of("PersistentVolume").items()
    }

    assert volumes["spark-a-hfcache-workers"] == ("/srv/hf", ["ReadWriteMany"], ["spark-b", "spark-c", "spark-d"])
    assert volumes["spark-a-hfcache"] == ("/srv/hf", ["ReadWriteOnce"], ["spark-a"])
    own = [one["metadata"]["name"] for one in group_of(four())["volumeClaimTemplates"]]
    assert own == ["vllm-cache", "vllm-flashinfer", "vllm-triton"]
    assert "vllm-cache" not in Objects(four()).of("PersistentVolumeClaim")


def _values(volume: Object) -> list[str]:
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    found: list[str] = term["matchExpressions"][0]["values"]
    return found


def test_the_first_rank_of_llama_knows_each_worker() -> None:
    (container,) = group_of(four("llamacpp"))["leaderTemplate"]["spec"]["containers"]
    names = ",".join(f"big-ranks-0-{rank}.big-ranks:50052" for rank in (1, 2, 3))

    assert names in container["args"]


@pytest.mark.parametrize("engine", GROUPS)
def test_every_worker_runs_the_words_of_its_compose_file(tmp_path: Path, engine: str) -> None:
    write_four(tmp_path, engine)
    (container,) = group_of(four(engine))["workerTemplate"]["spec"]["containers"]
    words = [*container["command"], *container["args"]]

    for rank, host in enumerate(HOSTS[1:], start=1):
        service = yaml.safe_load(rendered(tmp_path, host, "compose")["tiers/big.yml"])["services"]["big"]
        known = {
            "$(LWS_WORKER_INDEX)": str(rank),
            "$(LWS_GROUP_SIZE)": "4",
            "$(LWS_LEADER_ADDRESS)": "192.168.100.10",
            "$(POD_IP)": f"192.168.100.{10 + rank}",
        }
        found = [_with_values(word, known) for word in words]
        compose = [str(word) for word in (*service.get("entrypoint", ()), *service.get("command", ()))]
        assert found == compose


def _with_values(word: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        word = word.replace(name, value)
    return word


def errors_of(folder: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        rendered(folder)
    assert all(one.location is not None and one.location.line for one in caught.value.diagnostics)
    return [(one.code, one.address, one.detail) for one in caught.value.diagnostics if one.severity == "error"]


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        ('models_path = "/data/models"', "/models/big-awq is /data/models/big-awq (read only) on spark-c"),
        ('models_size = "9Ti"', "size of models-workers is 9Ti on spark-c, and 1Ti on spark-b"),
    ],
)
def test_what_one_template_cannot_say_is_refused_with_its_reason(tmp_path: Path, more: str, difference: str) -> None:
    write_four(tmp_path)
    edit(tmp_path / "hosts/spark-c.toml", TCP, f"{TCP}{more}\n")

    ((code, address, detail),) = errors_of(tmp_path)
    assert (code, address) == ("not-for-this-target", "groups.sparks.hosts[2]")
    assert "one template for all workers" in detail
    assert difference in detail


def test_unlike_values_of_a_host_are_refused(tmp_path: Path) -> None:
    write_four(tmp_path, "from the hub")
    edit(tmp_path / "hosts/spark-d.toml", "[host]", '[host]\nproxy = "http://10.0.0.1:3128"')

    found = [detail for _, _, detail in errors_of(tmp_path)]
    assert any("environment.HTTP_PROXY is http://10.0.0.1:3128 on spark-d, and none on spark-b" in one for one in found)


def test_a_name_of_a_node_is_what_hosts_may_differ_in(tmp_path: Path) -> None:
    write_four(tmp_path)
    edit(tmp_path / "hosts/spark-d.toml", TCP, f'{TCP}node = "node-7"\n')

    assert "- node-7" in rendered(tmp_path)["base/tiers/big.yaml"]


def pod(objects: Objects, kind: str = "workerTemplate") -> Any:
    return group_of(objects.all)[kind]["spec"]


BROKEN: dict[str, Callable[[Objects], object]] = {
    "a node too few": lambda o: pod(o)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ][0]["matchExpressions"][0]["values"].pop(),
    "the leader's node": lambda o: pod(o)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ][0]["matchExpressions"][0]["values"].__setitem__(0, "spark-a"),
    "workers together": lambda o: pod(o)["affinity"].pop("podAntiAffinity"),
    "apart from others": lambda o: pod(o)["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ][0]["labelSelector"].update(matchLabels={"a": "b"}),
    "a volume that has no template": lambda o: group_of(o.all)["volumeClaimTemplates"].pop(),
    "a template that nothing mounts": lambda o: group_of(o.all)["volumeClaimTemplates"].append(
        {"metadata": {"name": "x"}, "spec": {}}
    ),
    "folders of a node too few": lambda o: _values(o.of("PersistentVolume")["spark-a-models-workers"]).pop(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_found(name: str) -> None:
    documents = deepcopy(four())
    BROKEN[name](Objects(documents))

    assert problems(documents)
