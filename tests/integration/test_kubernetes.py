"""What is rendered for Kubernetes: schemas, selectors, references, and Compose's own words. No cluster is asked."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from inventories import BOX, UUID_B
from kube_boxes import PLUGIN, render, written
from kube_claims import is_selected, selectors
from kube_objects import EXAMPLES, Objects, built, objects_of, problems
from kube_schemas import VERSIONS, validate
from places import REPOSITORY

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError


@pytest.mark.parametrize("host", ["lab-quad", "fakoli-dark"])
def test_examples_are_what_is_rendered(host: str) -> None:
    plan = Generator().render(REPOSITORY / "hosts" / f"{host}.toml", target="kubernetes")

    assert [change.path for change in plan.files] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_version_since_dynamic_resources_accepts_it(example: str) -> None:
    for one in objects_of(example):
        for version in VERSIONS:
            validate(one, version)


def test_an_unknown_kind_is_a_failure() -> None:
    unknown = {"apiVersion": "resource.k8s.io/v7", "kind": "ResourceClaim", "metadata": {"name": "x"}}

    with pytest.raises((kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)):
        validate(unknown, VERSIONS[-1])


@pytest.mark.parametrize("example", EXAMPLES)
def test_objects_fit_together(example: str) -> None:
    assert problems(objects_of(example)) == []


def test_claims_select_the_very_gpus_of_every_mode() -> None:
    uuids = {name: f"GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a0{at}" for name, at in zip("abcd", range(1, 5), strict=True)}

    found = selectors(objects_of("lab-quad"))

    chosen = {
        name: ({gpu for gpu, uuid in uuids.items() if is_selected(expression, uuid)}, count)
        for name, (expression, count) in found.items()
    }
    assert chosen == {
        "chat-gpus": ({"a", "b"}, 2),
        "gpu-c": ({"c"}, 1),
        "rerank-gpus": ({"d"}, 1),
        "coder-gpus": ({"d"}, 1),
    }
    assert not any(
        is_selected(expression, "GPU-00000000-0000-0000-0000-000000000000") for expression, _ in found.values()
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_selector_takes_the_hosts_own_gpus_and_no_other(example: str) -> None:
    inventory = tomllib.loads((REPOSITORY / "hosts" / f"{example.partition(',')[0]}.toml").read_text("utf-8"))
    uuids = [gpu["uuid"] for gpu in inventory["gpus"].values()]

    found = selectors(objects_of(example))
    assert found
    for expression, count in found.values():
        assert sum(is_selected(expression, uuid) for uuid in uuids) == count
        assert not any(is_selected(expression, uuid[:-1] + "f") for uuid in uuids)


def test_tiers_that_share_a_gpu_share_its_claim() -> None:
    pods = {
        name: pod["spec"]["resourceClaims"] for name, pod in Objects(objects_of("lab-quad")).pods() if name != "router"
    }

    assert pods["writer"] == pods["embed"] == [{"name": "gpu-c", "resourceClaimName": "gpu-c"}]
    assert pods["rerank"] == [{"name": "rerank-gpus", "resourceClaimTemplateName": "rerank-gpus"}]


@pytest.mark.parametrize("host", ["lab-quad", "fakoli-dark"])
def test_the_command_is_that_of_compose_word_by_word(host: str) -> None:
    services: dict[str, Any] = {}
    for path in (REPOSITORY / "examples" / host / "tiers").glob("*.yml"):
        services |= yaml.safe_load(path.read_text("utf-8"))["services"]
    pods = {name: pod["spec"]["containers"][0] for name, pod in Objects(objects_of(host)).pods() if name != "router"}

    assert pods.keys() == services.keys()
    for name, service in services.items():
        for mine, other in (("command", "entrypoint"), ("args", "command")):
            # Both double a dollar sign, for none is a variable.
            assert [str(word) for word in pods[name].get(mine, ())] == [str(word) for word in service.get(other, ())]
        assert pods[name]["image"] == service["image"]


def test_modes_say_what_runs_and_their_routes() -> None:
    count = {
        name: {one: pod["spec"]["replicas"] for one, pod in Objects(objects_of(name)).of("Deployment").items()}
        for name in ("lab-quad", "lab-quad, coding")
    }
    config = {name: Objects(objects_of(name)).of("ConfigMap")["router-files"]["data"] for name in count}
    tree = REPOSITORY / "examples/lab-quad/router"

    assert [name for name, number in count["lab-quad"].items() if number == 0] == ["coder"]
    assert [name for name, number in count["lab-quad, coding"].items() if number == 0] == ["rerank"]
    assert "server coder coder:30004" in config["lab-quad, coding"]["haproxy.cfg"]
    assert "coder" not in config["lab-quad"]["haproxy.cfg"]
    assert config["lab-quad"]["models.map"] == (tree / "models.map").read_text("utf-8")
    assert config["lab-quad, coding"]["models.coding.map"] == (tree / "models.coding.map").read_text("utf-8")


def test_the_router_has_composes_configuration_but_for_its_resolver() -> None:
    mine = Objects(objects_of("lab-quad")).of("ConfigMap")["router-files"]["data"]["haproxy.cfg"].splitlines()
    compose = (REPOSITORY / "examples/lab-quad/router/haproxy.cfg").read_text("utf-8").splitlines()

    other = [line for line in mine if line not in compose]
    known = ("#", "    #", "    hold", "    timeout r")
    missing = [line for line in compose if line not in mine and not line.startswith(known)]

    assert [line.partition(" init-addr")[2] for line in other] == [" libc"]
    # A name that is looked up before the start is not looked for after it.
    assert missing == [
        "    set-var proc.began date",
        "resolvers DOCKER",
        "    nameserver docker 127.0.0.11:53",
        "    resolve_retries 2",
        next(line for line in compose if "init-addr last" in line),
        "    acl looks_for_tiers date,sub(proc.began) 0:2",
        *(line for line in compose if line.startswith("    acl lacks_tier ")),
        next(line for line in compose if line.endswith(" if looks_for_tiers lacks_tier")),
    ]


def test_no_secret_has_a_value() -> None:
    for one in ("lab-quad", "fakoli-dark"):
        for _, pod in Objects(objects_of(one)).pods():
            for container in pod["spec"]["containers"]:
                keys = {entry["name"]: entry for entry in container.get("env", ()) if entry["name"].endswith("_TOKEN")}
                assert all(entry["valueFrom"]["secretKeyRef"]["key"] == name for name, entry in keys.items())
        assert not Objects(objects_of(one)).of("Secret")


def test_only_known_images_run_without_root_and_the_namespace_says_so() -> None:
    level = "pod-security.kubernetes.io/enforce"
    levels = {name: next(iter(Objects(objects_of(name)).of("Namespace").values())) for name in EXAMPLES}
    users = {name: pod["spec"]["securityContext"] for name, pod in Objects(objects_of("fakoli-dark")).pods()}

    assert levels["lab-quad"]["metadata"]["labels"][level] == "restricted"
    assert levels["fakoli-dark"]["metadata"]["labels"][level] == "baseline"
    assert users["fast"]["runAsUser"] == 2000
    assert "runAsUser" not in users["sglang"]
    for name, pod in Objects(objects_of("lab-quad")).pods():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_a_flag_is_one_changed_line(tmp_path: Path) -> None:
    text = (REPOSITORY / "hosts/lab-quad.toml").read_text("utf-8").replace("../examples", "../deploy")
    (tmp_path / "hosts" / "files").mkdir(parents=True)
    (tmp_path / "hosts" / "files" / "qwen3-tools.jinja").write_text("x", "utf-8")
    before = render(tmp_path, text)
    after = render(tmp_path, text.replace("max_sequences = 32", "max_sequences = 48"))

    changed = [path for path in after if before[path] != after[path]]
    lines = set(after["base/tiers/chat.yaml"].splitlines()) ^ set(before["base/tiers/chat.yaml"].splitlines())
    assert changed == ["base/tiers/chat.yaml"]
    assert sorted(line.strip() for line in lines) == ["- --max-num-seqs=32", "- --max-num-seqs=48"]


def test_values_change_no_structure_and_no_variable_is_put_in(tmp_path: Path) -> None:
    strange = "$(HOME) $$(X) $: - 'a' \"b\" # c\n{{ d }} é"
    folder = written(tmp_path, f"{BOX}\n[tiers.one.environment]\nSTRANGE = {json.dumps(strange)}\n")

    pod = dict(Objects(built(folder)).pods())["one"]["spec"]["containers"][0]
    value = next(entry["value"] for entry in pod["env"] if entry["name"] == "STRANGE")
    assert value == strange.replace("$", "$$")


def test_sealed_tiers_have_no_way_out(tmp_path: Path) -> None:
    folder = written(tmp_path, BOX.replace("[paths]", '[host]\negress = "deny"\n[paths]'))

    objects = Objects(built(folder))
    assert problems(objects.all) == []
    assert objects.of("NetworkPolicy")["one"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert objects.of("NetworkPolicy")["one"]["spec"]["egress"] == []


def test_limits_are_those_of_the_override(tmp_path: Path) -> None:
    folder = written(tmp_path, BOX.replace("[router]", 'override = { mem_limit = "48g", cpus = 4 }\n[router]'))

    resources = dict(Objects(built(folder)).pods())["one"]["spec"]["containers"][0]["resources"]
    assert resources["limits"] == {"memory": "48Gi", "cpu": "4"}


def test_folders_of_the_node_keep_their_group(tmp_path: Path) -> None:
    """What a pod may write into is given to its group, with all that is in it."""
    pods = dict(Objects(built(written(tmp_path, BOX))).pods())

    (models,) = [one for one in pods["one"]["spec"]["volumes"] if one["name"] == "models"]
    assert models["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    caches = [one for one in pods["one"]["spec"]["volumes"] if one["name"] != "models"]
    assert not [one for one in caches if "readOnly" in one.get("persistentVolumeClaim", ())]


def test_the_router_starts_and_ends_without_a_lost_request(tmp_path: Path) -> None:
    spec = dict(Objects(built(written(tmp_path, BOX))).pods())["router"]["spec"]["containers"][0]

    # As long as Compose gives it: ten seconds, and three failed checks of five.
    assert spec["startupProbe"]["failureThreshold"] * spec["startupProbe"]["periodSeconds"] == 30
    assert spec["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_a_check_of_an_override_is_asked(tmp_path: Path) -> None:
    more = 'override = { healthcheck = { test = ["CMD", "true"] } }\n[router]'
    pods = dict(Objects(built(written(tmp_path, BOX.replace("[router]", more)))).pods())

    assert pods["one"]["spec"]["containers"][0]["livenessProbe"]["exec"] == {"command": ["true"]}


def test_a_user_by_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, BOX.replace("[router]", 'user = "nobody"\n[router]'))

    (found,) = caught.value.diagnostics
    assert (found.code, found.address) == ("not-for-this-target", "tiers.one.user")


def test_options_of_a_scratch_folder_are_no_part_of_its_place(tmp_path: Path) -> None:
    pods = dict(
        Objects(built(written(tmp_path, BOX.replace("[router]", 'tmpfs = ["/tmp:size=64m"]\n[router]')))).pods()
    )

    mounts = {one["mountPath"]: one["name"] for one in pods["one"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/tmp"] == "scratch"


def test_metrics_of_the_router_are_a_port_of_its_service(tmp_path: Path) -> None:
    objects = Objects(built(written(tmp_path, BOX.replace("[router]", "[router]\nmetrics = 9101"))))

    ports = {one["name"]: one["port"] for one in objects.of("Service")["router"]["spec"]["ports"]}
    assert ports["metrics"] == 9101
    assert problems(objects.all) == []


def test_a_gateway_gets_a_route_to_the_router(tmp_path: Path) -> None:
    more = 'name = "llm", namespace = "gateway-system", section = "https", hostname = "llm.example"'
    objects = Objects(built(written(tmp_path, f"{BOX}\n[kubernetes]\ngateway = {{ {more} }}\n")))

    spec = objects.of("HTTPRoute")["router"]["spec"]
    assert spec["parentRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": "llm",
            "namespace": "gateway-system",
            "sectionName": "https",
        }
    ]
    assert spec["hostnames"] == ["llm.example"]
    assert problems(objects.all) == []
    for one in objects.all:
        validate(one, VERSIONS[-1])
    rule = spec["rules"][0]
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    rule["backendRefs"][0]["port"] = 1
    assert problems(objects.all) == ["route router sends to {'name': 'router', 'port': 1}, which is no service"]


def test_replicas_are_servers_with_gpus_of_their_own(tmp_path: Path) -> None:
    objects = Objects(built(written(tmp_path, BOX.replace('["a"]', '["a", "b"]\nreplicas = 2'))))

    assert problems(objects.all) == []
    assert {name: is_selected(found, UUID_B) for name, (found, _) in selectors(objects.all).items()} == {
        "one-gpus": False,
        "one-2-gpus": True,
    }


def test_the_device_plugin_counts_gpus(tmp_path: Path) -> None:
    objects = Objects(built(written(tmp_path, f"{BOX}\n{PLUGIN}")))

    container = dict(objects.pods())["one"]["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 1}}
    assert problems(objects.all) == []
    assert selectors(objects.all) == {}


def test_an_unknown_target_is_named(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, BOX, target="kubernets")

    (found,) = caught.value.diagnostics
    assert found.code == "unknown-target"
    assert found.remedy == 'did you mean "kubernetes"?'


def test_what_a_render_leaves_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    box = tmp_path / "hosts" / "box.toml"
    second = BOX.replace(
        "[router]", '[tiers.two]\nengine = "vllm"\ngpus = ["b"]\nmodel = { path = "x" }\nport = 30001\n[router]'
    )
    box.write_text(second, "utf-8")
    write([Generator().render(box, target="kubernetes")])
    folder = tmp_path / "deploy" / "box" / "kubernetes"
    (folder / "mine.txt").write_text("x", "utf-8")
    box.write_text(BOX, "utf-8")

    plan = Generator().render(box, target="kubernetes")
    changes = {change.path: change.action for change in plan.files}
    write([plan])

    assert changes["base/tiers/two.yaml"] == "delete"
    assert not (folder / "base/tiers/two.yaml").exists()
    assert (folder / "mine.txt").exists()
