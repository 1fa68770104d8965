"""What real Compose reads of what unit tests show."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from bare_machines import CASES, laid, look
from compose_cli import compose_config
from compose_texts import ENV_TEXT, HOSTILE

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.machine.dotenv import variables
from anvil_gen.onboard.copier_answers import answers_of
from anvil_gen.render.quoting import to_yaml
from anvil_gen.values import EnvRef, VariableText


def test_real_compose_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV_TEXT.replace("$B", "B"))
    names = ("PLAIN", "SPACED", "SINGLE", "DOUBLE", "EMPTY", "HASH", "lower")
    service = {"image": "x", "environment": dict.fromkeys(names)}
    (tmp_path / "compose.yml").write_text(json.dumps({"name": "box", "services": {"s": service}}))

    assert compose_config(tmp_path, "compose.yml")["services"]["s"]["environment"] == variables(tmp_path, {})


def test_compose_accepts_what_a_first_machine_gets(tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(CASES["two unlike cards, no toolkit"].at(tmp_path / "root"))))
    rendered = Generator().render(made.inventory)
    for path, text in rendered.tree.files.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_text(text, "utf-8")

    services = compose_config(tmp_path / "tree", env={"ROUTER_TOKEN": "x", "HOME": os.environ["HOME"]})["services"]
    assert set(services) == {"coder", "fast", "router", "router-reload"}


PRO = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
GPU_HOST = f"""schema = 1
host.gpu_request = "FORM"
hfcache.volume = "hub"
gpus.first = {{ index = 0 }}
gpus.pro = {{ uuid = "{PRO}" }}
tiers.named = {{ engine = "vllm", gpus = ["first", "pro"], model = {{ repo = "a/b" }}, port = 9001 }}
tiers.two = {{ engine = "sglang", gpus = 2, model = {{ repo = "a/b" }}, port = 9002 }}
tiers.all = {{ engine = "llamacpp", gpus = "all", model = {{ repo = "a/b" }}, port = 9003 }}
experiment = {{ engine = "vllm", gpu = "first" }}
"""
CDI = "nvidia.com/gpu="


@pytest.mark.parametrize(
    ("form", "driver", "expected"),
    [
        (
            "reservation",
            "nvidia",
            {
                "named": {"device_ids": ["0", PRO]},
                "two": {"count": 2},
                "all": {"count": -1},
                "experiment": {"device_ids": ["0"]},
            },
        ),
        (
            "cdi",
            "cdi",
            {
                "named": {"device_ids": [f"{CDI}0", f"{CDI}{PRO}"]},
                "two": {"device_ids": [f"{CDI}0", f"{CDI}1"]},
                "all": {"device_ids": [f"{CDI}all"]},
                "experiment": {"device_ids": [f"{CDI}0"]},
            },
        ),
        ("runtime", None, {"named": f"0,{PRO}", "two": "0,1", "all": "all", "experiment": "0"}),
    ],
)
def test_compose_reads_how_gpus_are_asked_for(
    form: str, driver: str | None, expected: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "box.toml").write_text(GPU_HOST.replace("FORM", form), "utf-8")
    for path, text in Generator().render(tmp_path / "box.toml").tree.files.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_text(text, "utf-8")
    services = compose_config(tmp_path / "tree")["services"]
    slot = compose_config(tmp_path / "tree", "docker-compose.experiment.yml", env={"MODEL": "a/b"})["services"]

    assert {name: asked(service, driver) for name, service in {**services, **slot}.items()} == expected


def asked(service: dict[str, Any], driver: str | None) -> object:
    """Return what a service asks for: of its reservation's one device what differs, or what its runtime is told."""
    if driver is None:
        assert (service["runtime"], "deploy" in service) == ("nvidia", False)
        return service["environment"]["NVIDIA_VISIBLE_DEVICES"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device.pop("driver"), device.pop("capabilities"), "runtime" in service) == (driver, ["gpu"], False)
    return device


def test_compose_reads_hostile_text_back(tmp_path: Path) -> None:
    lines = [f"      V{index}: {to_yaml(text)}" for index, text in enumerate(HOSTILE)]
    file = "\n".join(["name: strange", "services:", "  a:", "    image: x", "    environment:", *lines, ""])
    (tmp_path / "compose.yml").write_text(file, "utf-8")
    read = compose_config(tmp_path, "compose.yml", env={"X": "taken", "a": "taken"})["services"]["a"]["environment"]

    # The JSON form of `config` is itself a compose file, in which every `$` is doubled.
    assert [read[f"V{index}"].replace("$$", "$") for index in range(len(HOSTILE))] == HOSTILE


def test_only_a_variable_is_interpolated(tmp_path: Path) -> None:
    text = VariableText(("a$B-", EnvRef(name="X", default="d$e"), "-", EnvRef(name="Y", default="d$e"), "-$$"))
    file = f"name: strange\nservices:\n  a:\n    image: x\n    hostname: {to_yaml(text)}\n"
    (tmp_path / "compose.yml").write_text(file, "utf-8")
    read = compose_config(tmp_path, "compose.yml", env={"X": "set", "B": "taken", "e": "taken"})

    assert read["services"]["a"]["hostname"].replace("$$", "$") == "a$B-set-d$e-$$"
