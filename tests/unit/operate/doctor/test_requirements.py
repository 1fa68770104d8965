"""What services want of their machine, by their rendered files."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import subject

from anvil_gen.operate.doctor.requirements import BindMount, Requirements

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
volume = "hub"
token_env = "HF_TOKEN"
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "gpt-oss-20b" }
[tiers.hub]
engine = "vllm"
image = { env = "HUB_IMAGE", default = "vllm/vllm-openai-cpu:nightly" }
port = 30002
model = { repo = "org/name" }
standby = true
[services.ui]
image = "ui:1"
ports = ["3000:8080", "[::1]:3001:8080", { interpolate = "127.0.0.1:$${X}:80" }]
volumes = ["/srv/ui:/data:ro", "/:/host:ro", "C:/ui:/c", "ui-data:/d", "./here:/h", "/anonymous"]
environment = ["A", "B=1", "C=$$"]
[services.plain]
image = "plain"
environment.D = { env = "D" }
[router]
kind = "anvil"
api_key_env = "ROUTER_KEY"
[modes.all]
tiers = ["fast", "hub"]
"""


def wants(folder: Path, *, mode: str | None = None, **shell: str) -> dict[str, Requirements]:
    """Return what each service of a mode wants."""
    return {one.service: one for one in subject(folder, INVENTORY, mode=mode, shell=shell).requirements}


def test_services_of_a_mode(tmp_path: Path) -> None:
    assert list(wants(tmp_path)) == ["fast", "ui", "plain", "router"]
    assert list(wants(tmp_path, mode="all")) == ["fast", "hub", "ui", "plain", "router"]


def test_a_tier(tmp_path: Path) -> None:
    fast = wants(tmp_path)["fast"]

    assert (fast.name, fast.container_name, fast.image, fast.built) == (
        "fast",
        "fast",
        "vllm/vllm-openai-cpu:v0.33.0",
        False,
    )
    assert fast.binds == (
        BindMount(source="/srv/models/gpt-oss-20b", target="/models/gpt-oss-20b", read_only=True, generated=False),
    )
    assert (fast.ports, fast.volumes, fast.variables) == ((("127.0.0.1", 30001),), (), ())


def test_a_tier_from_the_hub(tmp_path: Path) -> None:
    hub = wants(tmp_path, mode="all")["hub"]

    assert (hub.image, hub.volumes, hub.variables) == ("vllm/vllm-openai-cpu:nightly", ("hub",), (("HF_TOKEN", False),))
    named = wants(tmp_path, mode="all", HUB_IMAGE="mine:1", HF_TOKEN="x")["hub"]
    assert (named.image, named.variables) == ("mine:1", ())


def test_a_router(tmp_path: Path) -> None:
    router = wants(tmp_path)["router"]

    assert router.built
    assert [(bind.source, bind.generated) for bind in router.binds] == [("router/router.toml", True)]
    assert router.variables == (("ROUTER_KEY", False),)


def test_a_service_in_composes_own_keys(tmp_path: Path) -> None:
    ui, plain = (wants(tmp_path)[name] for name in ("ui", "plain"))

    assert [(bind.source, bind.read_only, bind.generated) for bind in ui.binds] == [
        ("/srv/ui", True, False),
        ("/", True, False),
        ("C:/ui", False, False),
        (str(tmp_path / "hosts" / "here"), False, False),
    ]
    assert all(bind.created for bind in ui.binds)
    assert ui.container_name == "box-ui-1"
    assert ui.ports == (("0.0.0.0", 3000), ("::1", 3001))
    assert ui.variables == (("A", False),)
    assert plain.variables == (("D", False),)


def test_secrets_and_configs_are_files_and_variables_of_the_host(tmp_path: Path) -> None:
    declared = '[secrets]\nkey.file = "key.txt"\ntoken.environment = "TOKEN"\n[configs]\nc.content = "x"\n'
    text = f'schema = 1\n{declared}[services.ui]\nimage = "x:1"\nsecrets = ["key", "token"]\nconfigs = ["c"]\n'
    (ui,) = subject(tmp_path, text, shell={}).requirements

    assert ui.binds == (
        BindMount(
            source=str(tmp_path / "hosts" / "key.txt"), target="/run/secrets/key", read_only=True, generated=False
        ),
    )
    assert ui.variables == (("TOKEN", False),)


def test_the_slot_wants_what_is_there_before_a_trial(tmp_path: Path) -> None:
    text = INVENTORY + "[experiment]\nengine = 'vllm'\nport = 30010\n"
    plain, with_slot = (
        subject(tmp_path, text, with_slot=asked, shell={}).storage_requirements for asked in (False, True)
    )
    (slot,) = (one for one in with_slot if one not in plain)

    assert (slot.name, slot.image, slot.volumes) == ("experiment", "vllm/vllm-openai-cpu:v0.33.0", ("hub",))
    assert (slot.ports, slot.variables, slot.table) == ((), (), ("experiment",))


@pytest.mark.parametrize(("value", "expected"), [("", (("ROUTER_KEY", False),)), ("k", ())])
def test_an_empty_value_is_none(value: str, expected: object, tmp_path: Path) -> None:
    assert wants(tmp_path, ROUTER_KEY=value)["router"].variables == expected


def test_relative_paths_are_from_the_folder_that_the_host_names(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "x.conf").write_text("x\n", "utf-8")
    text = """schema = 1
[host]
project_directory = ".."
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "/m" }
caches = false
mounts."/value" = { source = { env = "VALUE" } }
mounts."/written" = "written"
files."/etc/x.conf" = "x.conf"
"""
    (fast,) = subject(tmp_path, text, shell={"VALUE": "./value"}).requirements

    assert {bind.target: (bind.source, bind.generated) for bind in fast.binds if bind.target != "/models/m"} == {
        "/value": (f"{tmp_path}/value", False),
        "/written": (f"{tmp_path}/hosts/written", False),
        "/etc/x.conf": ("tiers/fast.files/etc/x.conf", True),
    }
