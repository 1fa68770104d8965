"""What an inventory says and a cluster cannot have: refused with its line, or left out by `without`."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import BOX, UUID_A, UUID_B
from kube_boxes import PLUGIN, render

from anvil_gen.diagnostics import DiagnosticError

MEMORY = "\nmemory_mib = 24576"
SHARED = """
gpu_memory = "9GiB"
[tiers.two]
engine = "vllm"
gpus = ["a"]
gpu_memory = "9GiB"
model = { path = "two" }
port = 30001
[router]
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOX.replace(f'"{UUID_A}"', f'"{UUID_A}"{MEMORY}'), "a, b are unlike"),
        (
            BOX.replace(f'"{UUID_A}"', f'"{UUID_A}"{MEMORY}')
            .replace(f'"{UUID_B}"', f'"{UUID_B}"{MEMORY}')
            .replace("[router]\n", SHARED),
            "a is shared by one, two",
        ),
    ],
)
def test_the_device_plugin_is_refused_where_it_would_give_another_gpu(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, f"{text}\n{PLUGIN}")

    (found,) = caught.value.diagnostics
    assert (found.code, found.address) == ("not-for-this-target", "kubernetes.gpu_request")
    assert reason in found.detail


ERRORS: list[tuple[str, str, str]] = [
    ('[tiers.one.mounts]\n"/data" = "/srv/data"\n', "tiers.one.mounts", "not on the node"),
    ('[services.ui]\nimage = "x"\n', "services", "Compose's own keys"),
    ("[monitoring]\n", "monitoring", "Prometheus of its own"),
    ("[tiers.one.override]\nulimits = { memlock = -1 }\n", "tiers.one.override.ulimits", "no limits of its own"),
    ("[tiers.one.override]\nsysctls = { a = 1 }\n", "tiers.one.override.sysctls", "is not translated"),
    ('[tiers.one.override]\ncap_add = ["IPC_LOCK"]\n', "tiers.one.override.cap_add", "Pod Security"),
    ('[tiers.one.override]\nsecurity_opt = ["seccomp=unconfined"]\n', "tiers.one.override.security_opt", "always said"),
    ("[tiers.one.deploy]\nreplicas = 1\n", "tiers.one.deploy", "mem_limit"),
    ('[tiers.one.labels]\na = "b"\n', "tiers.one.labels", "find each other"),
    ('[tiers.one.override]\nvolumes = ["/srv/a:/a"]\n', "tiers.one.override.volumes", "not on the node"),
    ('override = { volumes = ["/srv/a:/a"] }\n', "router.override.volumes", "only models and the cache"),
    ('override = { labels = ["a=b"] }\n', "router.override.labels", "find each other"),
    ('[tiers.one.flags]\nseed = { env = "SEED", default = "1" }\n', "tiers.one.flags.seed", "Compose alone"),
]


@pytest.mark.parametrize(("more", "address", "reason"), ERRORS, ids=[one[1] for one in ERRORS])
def test_what_cannot_be_said_is_an_error_with_its_line(tmp_path: Path, more: str, address: str, reason: str) -> None:
    text = f"{BOX}\n{more}"

    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, text)

    (found,) = caught.value.diagnostics
    assert (found.code, found.address) == ("not-for-this-target", address)
    assert reason in found.detail
    assert found.location is not None
    assert found.location.line is not None
    assert f'without = ["{address}"]' in found.remedy
    assert render(tmp_path, f'{text}\n[kubernetes]\nwithout = ["{address}"]\n')
    assert render(tmp_path, text, target="compose")


REFUSED: list[tuple[str, str, str, str]] = [
    ("[tiers.one]", '[tiers.one]\nservice = "One_"', "tiers.one.service", "a Service has a name"),
    (f'uuid = "{UUID_A}"', "index = 0", "gpus.a.index", "by its UUID"),
    ('models = "/srv/models"', 'models = "C:/models"', "paths.models", "no folder of a Linux machine"),
    ("[router]", '[router]\nkind = "anvil"', "router", "builds no image"),
]


@pytest.mark.parametrize(("before", "after", "address", "reason"), REFUSED, ids=[one[2] for one in REFUSED])
def test_what_a_cluster_needs_is_asked_for(tmp_path: Path, before: str, after: str, address: str, reason: str) -> None:
    text = BOX.replace(before, after).replace("[paths]", '[host]\nproject = "anvil-box"\n[paths]')
    text = text.replace("[paths]", 'platform = "wsl2"\n[paths]') if "C:" in after else text

    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, text)

    assert (address, True) in [(found.address, reason in found.detail) for found in caught.value.diagnostics]
