"""A model over several hosts for Kubernetes: one LeaderWorkerSet, with Compose's words. No cluster is asked."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
import yaml
from group_fleets import GROUP, edit, write_pair
from kube_claims import is_selected, selectors
from kube_objects import Object, Objects, built, problems
from kube_schemas import VERSIONS, validate

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

TCP = '\n[kubernetes]\nwithout = ["links.roce.hcas"]\n'
OTHER = '\n[kubernetes]\nwithout = ["links.roce.hcas"]\nnode = "node-7"\nmodels_path = "/data/models"\n'
SMALL = """
[tiers.small]
engine = "llamacpp"
gpus = []
model = { file = "small.gguf" }
port = 30005
[modes.quiet]
tiers = ["small"]
[router]
"""


def rendered(folder: Path, host: str = "spark-a", target: str = "kubernetes") -> dict[str, str]:
    return dict(Generator().render(folder / "hosts" / f"{host}.toml", target=target).tree.files)


def objects_in(folder: Path, host: str = "spark-a", mode: str = "") -> list[Object]:
    for path, content in rendered(folder, host).items():
        (folder / host / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / host / path).write_text(content, "utf-8")
    return built(folder / host / mode)


@cache
def pair(engine: str = "vllm") -> list[Object]:
    """Return what is rendered of the head of a pair."""
    with TemporaryDirectory() as folder:
        write_pair(Path(folder), group=GROUPS[engine], first=SMALL + TCP, second=OTHER)
        return objects_in(Path(folder))


GROUPS = {
    "vllm": GROUP,
    "ray": GROUP.replace('link = "roce"', 'link = "roce"\nexecutor = "ray"'),
    "sglang": GROUP.replace('"vllm"', '"sglang"'),
    "llamacpp": GROUP.replace('"vllm"', '"llamacpp"\nimage = "registry.example/llama:1"').replace(
        'path = "big-awq"', 'file = "big.gguf"'
    ),
}


def ranks(documents: list[Object]) -> tuple[Any, Any]:
    """Return the pods of the head and of the other host."""
    spec = Objects(documents).of("LeaderWorkerSet")["big-ranks"]["spec"]["leaderWorkerTemplate"]
    return spec["leaderTemplate"], spec["workerTemplate"]


@pytest.mark.parametrize("engine", GROUPS)
def test_schemas_accept_it_and_its_objects_fit_together(engine: str) -> None:
    for one in pair(engine):
        for version in VERSIONS:
            validate(one, version)
    assert problems(pair(engine)) == []


WORDS = {
    "vllm": {
        "--nnodes=2": "--nnodes=$(LWS_GROUP_SIZE)",
        "--node-rank=0": "--node-rank=$(LWS_WORKER_INDEX)",
        "--node-rank=1": "--node-rank=$(LWS_WORKER_INDEX)",
        "--master-addr=192.168.100.10": "--master-addr=$(LWS_LEADER_ADDRESS)",
        "--host=192.168.100.10": "--host=0.0.0.0",
    },
    "ray": {
        "--address=192.168.100.10:6379": "--address=$(LWS_LEADER_ADDRESS):6379",
        "--node-ip-address=192.168.100.11": "--node-ip-address=$(POD_IP)",
        "--host=192.168.100.10": "--host=0.0.0.0",
        "ray start --head --node-ip-address=192.168.100.10 --port=6379 --num-gpus=1 --disable-usage-stats "
        '&& exec vllm "$$@"': "ray start --head --node-ip-address=$(POD_IP) --port=6379 --num-gpus=1 "
        '--disable-usage-stats && exec vllm "$$@"',
    },
    "sglang": {
        "--nnodes=2": "--nnodes=$(LWS_GROUP_SIZE)",
        "--node-rank=0": "--node-rank=$(LWS_WORKER_INDEX)",
        "--node-rank=1": "--node-rank=$(LWS_WORKER_INDEX)",
        "--dist-init-addr=192.168.100.10:25000": "--dist-init-addr=$(LWS_LEADER_ADDRESS):25000",
        "--host=192.168.100.10": "--host=0.0.0.0",
        "--host=192.168.100.11": "--host=$(POD_IP)",
    },
    "llamacpp": {"192.168.100.11:50052": "big-ranks-0-1.big-ranks:50052"},
}
"""Words of Compose -> the same in a cluster: addresses and ranks. All others are alike."""


@pytest.mark.parametrize("engine", GROUPS)
def test_the_command_is_that_of_compose_but_for_addresses_and_ranks(tmp_path: Path, engine: str) -> None:
    write_pair(tmp_path, group=GROUPS[engine], first=SMALL + TCP, second=OTHER)
    used = set[str]()

    for host, pod in zip(("spark-a", "spark-b"), ranks(pair(engine)), strict=True):
        service = yaml.safe_load(rendered(tmp_path, host, "compose")["tiers/big.yml"])["services"]["big"]
        compose = [str(word) for word in (*service["entrypoint"], *service.get("command", ()))]
        (container,) = pod["spec"]["containers"]
        assert [*container["command"], *container["args"]] == [WORDS[engine].get(word, word) for word in compose]
        assert container["image"] == service["image"]
        used |= {*compose}

    assert WORDS[engine].keys() <= used


def test_each_rank_has_its_node_its_gpus_and_its_folders() -> None:
    objects = Objects(pair())
    head, worker = ranks(pair())

    assert [pod["spec"]["nodeSelector"]["kubernetes.io/hostname"] for pod in (head, worker)] == ["spark-a", "node-7"]
    uuids = [f"GPU-d0f446cf-1771-414c-e116-a391387{number}a8c" for number in (10, 11, 12)]
    chosen = {name: [is_selected(found, uuid) for uuid in uuids] for name, (found, _) in selectors(pair()).items()}
    assert chosen == {"big-gpus": [True, False, False], "big-spark-b-gpus": [False, True, False]}
    volumes = objects.of("PersistentVolume")
    assert {name: one["spec"]["local"]["path"] for name, one in volumes.items()} == {
        "spark-a-models": "/srv/models",
        "spark-a-models-spark-b": "/data/models",
    }


def test_the_router_and_its_service_are_for_the_head_alone() -> None:
    objects = Objects(pair())
    head, worker = ranks(pair())

    assert objects.selected(objects.of("Service")["big"]["spec"]["selector"]) == ["big"]
    assert "server big big:8001" in objects.of("ConfigMap")["router-files"]["data"]["haproxy.cfg"]
    assert "startupProbe" in head["spec"]["containers"][0]
    assert not {"ports", "startupProbe"} & worker["spec"]["containers"][0].keys()


def test_what_a_rank_says_of_its_link_is_what_its_pod_has() -> None:
    for pod in ranks(pair()):
        found = {entry["name"]: entry for entry in pod["spec"]["containers"][0]["env"]}
        assert found["POD_IP"]["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert found["VLLM_HOST_IP"]["value"] == "$(POD_IP)"
        assert found["NCCL_SOCKET_IFNAME"]["value"] == "eth0"
        assert not [name for name in found if name.startswith("NCCL_IB_")]


def test_a_name_of_such_a_variable_that_a_person_writes_is_text(tmp_path: Path) -> None:
    strange = "$(POD_IP) $(LWS_GROUP_SIZE) $"
    write_pair(tmp_path, group=f"{GROUP}environment.STRANGE = '{strange}'\n", first=TCP, second=TCP)

    for pod in ranks(objects_in(tmp_path)):
        found = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
        assert found["STRANGE"] == "$$(POD_IP) $$(LWS_GROUP_SIZE) $$"


def test_a_mode_without_the_group_has_none_of_its_pods(tmp_path: Path) -> None:
    write_pair(tmp_path, first=SMALL + TCP, second=OTHER)
    found = {mode: Objects(objects_in(tmp_path, mode=mode)) for mode in ("", "modes/quiet")}

    assert {mode: one.of("LeaderWorkerSet")["big-ranks"]["spec"]["replicas"] for mode, one in found.items()} == {
        "": 1,
        "modes/quiet": 0,
    }
    assert problems(found["modes/quiet"].all) == []


def test_the_other_host_leaves_its_rank_to_the_head(tmp_path: Path) -> None:
    write_pair(tmp_path, first=SMALL + TCP, second=OTHER)

    assert [one["kind"] for one in objects_in(tmp_path, "spark-b")] == ["Namespace"]


def test_a_flag_of_the_group_is_one_line_for_each_rank(tmp_path: Path) -> None:
    write_pair(tmp_path, first=SMALL + TCP, second=OTHER)
    before = rendered(tmp_path)
    edit(tmp_path / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")
    after = rendered(tmp_path)

    lines = {path: [*zip(before[path].splitlines(), text.splitlines(), strict=True)] for path, text in after.items()}
    changed = [(path, old.strip(), new.strip()) for path, both in lines.items() for old, new in both if old != new]
    assert [one for one in changed if "--" in one[1]] == [
        ("base/tiers/big.yaml", "- --max-model-len=32768", "- --max-model-len=65536")
    ] * 2


def errors_of(folder: Path, host: str = "spark-a") -> list[tuple[str, str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        rendered(folder, host)
    found = [one for one in caught.value.diagnostics if one.severity == "error"]
    assert all(one.location is not None and one.location.line for one in found)
    return [(one.code, one.address, one.detail) for one in found]


def test_adapters_are_refused_unless_they_are_left_out(tmp_path: Path) -> None:
    write_pair(tmp_path, first="", second="")

    ((code, address, detail),) = errors_of(tmp_path)
    assert (code, address) == ("not-for-this-target", "links.roce.hcas")
    assert "TCP" in detail


@pytest.mark.parametrize("target", ["kubernetes", "quadlet"])
def test_a_group_can_be_left_out(tmp_path: Path, target: str) -> None:
    write_pair(tmp_path, first=SMALL.replace("[router]", f'[router]\n[{target}]\nwithout = ["tiers.big"]\n'))

    found = "".join(rendered(tmp_path, target=target).values())

    assert "small.gguf" in found
    assert "big" not in found


def test_a_gpu_that_the_other_host_shares_is_refused(tmp_path: Path) -> None:
    own = '\n[tiers.own]\nengine = "vllm"\ngpus = ["gb10"]\nmodel = { path = "x" }\nport = 1234\n'
    less = 'gpu_memory = "9GiB"\n'
    write_pair(tmp_path, group=f"{GROUP}{less}", first=TCP, second=f"{own}{less}{TCP}")

    ((code, address, detail),) = errors_of(tmp_path)
    assert (code, address) == ("not-for-this-target", "tiers.big.gpus")
    assert "another namespace" in detail


PLUGIN = f'{TCP}gpu_request = "device-plugin"\n'


def test_the_device_plugin_counts_the_gpus_of_each_rank(tmp_path: Path) -> None:
    write_pair(tmp_path, first=PLUGIN, second=PLUGIN)

    limits = [pod["spec"]["containers"][0]["resources"]["limits"] for pod in ranks(objects_in(tmp_path))]
    assert limits == [{"nvidia.com/gpu": 1}] * 2


def test_the_device_plugin_is_refused_where_the_other_host_has_unlike_gpus(tmp_path: Path) -> None:
    unlike = '\n[gpus.small]\nuuid = "GPU-d0f446cf-1771-414c-e116-a39138700a8c"\nmemory_mib = 24576\n'
    write_pair(tmp_path, first=PLUGIN, second=unlike + PLUGIN)

    ((code, address, detail),) = errors_of(tmp_path)
    assert (code, address) == ("not-for-this-target", "kubernetes.gpu_request")
    assert "gb10, small are unlike" in detail


def test_what_the_other_host_cannot_say_is_an_error_of_it(tmp_path: Path) -> None:
    write_pair(tmp_path, first=TCP, second=TCP)
    edit(tmp_path / "hosts/spark-b.toml", 'models = "/srv/models"', 'models = "C:/models"')
    for host in ("spark-a", "spark-b"):
        edit(tmp_path / f"hosts/{host}.toml", 'architecture = "arm64"', 'architecture = "arm64"\nplatform = "wsl2"')

    assert ("missing-key", "paths.models") in [(code, address) for code, address, _ in errors_of(tmp_path)]


def lws(objects: Objects) -> Any:
    return objects.of("LeaderWorkerSet")["big-ranks"]["spec"]["leaderWorkerTemplate"]


def rename(one: Object, name: str) -> None:
    one["metadata"]["name"] = name


BROKEN: dict[str, Callable[[Objects], object]] = {
    "service of the controller's name": lambda o: rename(o.of("Service")["big"], "big-ranks"),
    "service selects the worker too": lambda o: o.of("Service")["big"]["spec"].update(
        selector={"anvil-gen/group": "sparks"}
    ),
    "leader has another label": lambda o: lws(o)["leaderTemplate"]["metadata"]["labels"].update(
        {"app.kubernetes.io/name": "x"}
    ),
    "three ranks": lambda o: lws(o).update(size=3),
    "ranks on one node": lambda o: lws(o)["workerTemplate"]["spec"].update(
        nodeSelector={"kubernetes.io/hostname": "spark-a"}
    ),
    "worker has the leader's claim": lambda o: lws(o)["workerTemplate"]["spec"]["resourceClaims"][0].update(
        resourceClaimTemplateName="big-gpus"
    ),
    "claim of the worker renamed": lambda o: rename(o.of("ResourceClaimTemplate")["big-spark-b-gpus"], "x"),
    "worker mounts the leader's cache": lambda o: lws(o)["workerTemplate"]["spec"]["volumes"][1][
        "persistentVolumeClaim"
    ].update(claimName="vllm-cache"),
    "worker's models on the leader's node": lambda o: lws(o)["workerTemplate"]["spec"]["volumes"][0][
        "persistentVolumeClaim"
    ].update(claimName="models"),
    "nobody lets the ranks in": lambda o: o.of("NetworkPolicy")["big-spark-b"]["spec"].update(ingress=[]),
    "leader lets the router in alone": lambda o: o.of("NetworkPolicy")["big"]["spec"]["ingress"].pop(),
    "address of the pod is not known": lambda o: lws(o)["leaderTemplate"]["spec"]["containers"][0]["env"].pop(0),
    "a variable that nobody gives": lambda o: lws(o)["workerTemplate"]["spec"]["containers"][0]["args"].append("$(X)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_found(name: str) -> None:
    documents = deepcopy(pair())
    BROKEN[name](Objects(documents))

    assert problems(documents)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("leaderWorkerTemplate", "restartPolicy"), "Sometimes"),
        (("leaderWorkerTemplate", "workers"), 1),
        (("leaderWorkerTemplate", "size"), 0),
        (("replicas",), -1),
        (("startupPolicy",), "Ready"),
        (("leaderWorkerTemplate", "leaderTemplate", "spec", "container"), []),
    ],
)
def test_its_schema_refuses_what_is_no_leader_worker_set(place: tuple[str, ...], value: object) -> None:
    document = deepcopy(Objects(pair()).of("LeaderWorkerSet")["big-ranks"])
    at = document["spec"]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value

    with pytest.raises(jsonschema.ValidationError):
        validate(document, VERSIONS[-1])
