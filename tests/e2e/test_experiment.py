"""The experiment slot with a real engine: what a trial is given arrives, and what is in the slot is reported."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e import web
from e2e.box import Box
from e2e.engine import Engine

MODEL = "org/small"
STRANGE = (
    "--seed=1",
    "--empty=",
    "",
    "two words",
    "--name",
    "it's",
    'say "x"',
    "$HOME ${MODEL} $$ `id` $(id)",
    "a\\b\\",
    "#no comment",
    "| ; & < > ( )",
    "line\nbreak\ttab",
    '--json={"a":{"b":"ü $x"},"c":[1,2.50]}',
    "--päth=/äöü/日本/🙂",
    " spaces ",
    "-5",
    "--",
    "'",
    "~",
    "*",
)


def slot_box(box: Box, model_folder: Path, *, engine: str = "vllm") -> dict[str, Any]:
    """Return fakoli-dark's inventory, with a folder as the hub's cache that has one model."""
    hub = box.folder / "hub" / "hub" / f"models--{MODEL.replace('/', '--')}"
    hub.mkdir(parents=True)
    weights = next(model_folder.glob("*.gguf"))
    try:
        os.link(weights, hub / weights.name)
    except OSError:
        shutil.copyfile(weights, hub / weights.name)
    inventory = box.adapted("fakoli-dark")
    inventory["hfcache"] = {"path": str(box.folder / "hub")}
    inventory["experiment"]["engine"] = engine
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    return inventory


def experiment(box: Box, verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the JSON answer of a verb of the slot."""
    done = box.anvil_gen("experiment", verb, "box", "--json", *arguments, check=False)
    assert done.code == code, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_every_argument_arrives_as_it_was_given(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    box.anvil_gen("experiment", "up", "box", MODEL, "--served-name", "tr$y-ü'", "--", *STRANGE)

    command = box.container("experiment")["Args"]
    assert command == [
        *("serve", MODEL, "--served-model-name=tr$y-ü'", "--gpu-memory-utilization=0.9"),
        *(f"--port={box.port('experiment')}", "--host=0.0.0.0", *STRANGE),
    ]


def test_what_the_shell_and_env_hold_does_not_drive_the_slot(box: Box, model_folder: Path) -> None:
    tree = box.render(slot_box(box, model_folder))
    (tree / ".env").write_text("SERVED_NAME=other\nEXTRA_ARGS=--other\n")
    box.environment |= {"PORT": "1", "MODEL": "org/other", "GPU_UUID": "none"}
    box.anvil_gen("experiment", "up", "box", MODEL)

    args = box.container("experiment")["Args"]
    assert args[:3] == ["serve", MODEL, "--served-model-name=experiment"]
    assert args[-2:] == [f"--port={box.port('experiment')}", "--host=0.0.0.0"]


def test_a_trial_comes_up_is_told_and_goes(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    assert experiment(box, "status")["trial"] is None
    said = experiment(box, "up", MODEL, "--served-name", "small", "--gpu", "pro6000", "--", "--max-model-len", "512")
    assert (said["service"]["action"], said["card"]["name"]) == ("created", "pro6000")
    assert said["address"] == f"127.0.0.1:{box.port('experiment')}"
    web.wait_for(box.port("experiment"))
    assert '"small"' in web.ask(box.port("experiment"), "/v1/models").text

    trial = experiment(box, "status")["trial"]
    assert (trial["model"], trial["served_name"], trial["card"]) == (MODEL, "small", "pro6000")
    assert (trial["state"], trial["flags"], trial["drift"]) == ("running", "--max-model-len 512", [])
    assert trial["port"] == f"127.0.0.1:{box.port('experiment')}"
    assert box.engine.docker("exec", box.name("experiment"), "nvidia-smi", "-L").count("GPU ") == 1
    assert "model" in box.anvil_gen("experiment", "logs", "box", "--tail", "50").stdout
    text = box.anvil_gen("experiment", "status", "box").stdout
    assert f"model        {MODEL}\n" in text

    box.anvil_gen("experiment", "down", "box")
    assert experiment(box, "status")["trial"] is None
    assert box.anvil_gen("experiment", "logs", "box", check=False).code == 1
    box.anvil_gen("experiment", "down", "box")


def test_a_new_trial_takes_the_place_of_the_old(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    experiment(box, "up", MODEL)
    said = experiment(box, "up", MODEL, "--", "--seed=1")
    assert said["service"]["action"] == "recreated"
    again = experiment(box, "up", MODEL, "--", "--seed=1")
    assert again["service"]["action"] == "unchanged"


def test_a_changed_file_is_drift_of_the_trial(box: Box, model_folder: Path) -> None:
    inventory = slot_box(box, model_folder)
    box.render(inventory)
    experiment(box, "up", MODEL, "--served-name", "small", "--", "--name", "two words")
    inventory["experiment"].setdefault("flags", {})["seed"] = 3
    box.render(inventory)

    (drift,) = experiment(box, "status", code=2)["trial"]["drift"]
    assert drift["kind"] == "config"
    assert [(change["address"][2:], change["after"]) for change in drift["changes"]] == [(["command", "--seed"], "3")]
    assert drift["remedy"] == (
        f"anvil-gen experiment up box {MODEL} --gpu rtx5090 --port {box.port('experiment')} --served-name small"
        " -- --name 'two words'"
    )


def test_a_card_that_a_tier_holds_is_told(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    done = box.anvil_gen("experiment", "up", "box", MODEL)
    assert "warning: GPU is also used by a tier\n  rtx5090\n  fast: in the default mode, not running" in done.stderr
    box.anvil_gen("up", "box", "fast")
    done = box.anvil_gen("experiment", "up", "box", MODEL)

    assert "warning: GPU is in use\n  rtx5090\n  fast: in the default mode, running, uses 29346 MiB\n" in done.stderr
    assert "  32607 MiB, 3261 MiB free; the trial needs 29346 MiB\n" in done.stderr
    assert "\n      anvil-gen down box fast\n" in done.stderr
    said = experiment(box, "up", MODEL, "--gpu", "pro6000")
    assert [(holder["tier"], holder["running"]) for holder in said["card"]["holders"]] == [("heavy", False)]
    assert [(diagnostic["severity"], diagnostic["code"]) for diagnostic in said["diagnostics"]] == [
        ("warning", "gpu-is-also-used-by-a-tier")
    ]


def test_a_taken_port_is_told_before_anything_starts(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    port = box.port("other")
    other = ["--publish", f"127.0.0.1:{port}:{port}", "--entrypoint", "/bin/sleep", "vllm/vllm-openai:v0.33.0", "600"]
    box.engine.docker("run", "--detach", "--name", box.name("other"), *other)
    done = box.anvil_gen("experiment", "up", "box", MODEL, "--port", str(port), check=False)

    assert done.code == 1
    assert done.stderr.endswith(
        f"error: port is taken\n"
        f"  port {port} is in use by the container {box.name('other')}, created without Compose\n"
        f"  choose another one with --port, or free it:\n\n      docker stop {box.name('other')}\n\n"
    )
    assert experiment(box, "status")["trial"] is None


def test_a_taken_container_name_is_told_before_anything_starts(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    other = ["--entrypoint", "/bin/sleep", "vllm/vllm-openai:v0.33.0", "600"]
    box.engine.docker("run", "--detach", "--name", box.name("experiment"), *other)
    done = box.anvil_gen("experiment", "up", "box", MODEL, check=False)

    assert done.code == 1
    assert "error: container name is taken\n" in done.stderr
    assert f"\n      docker rm --force {box.name('experiment')}\n" in done.stderr


def test_two_starts_at_once_leave_one_trial(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    ports = [box.port("one"), box.port("two")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda port: box.anvil_gen("experiment", "up", "box", MODEL, f"--port={port}"), ports))

    trial = experiment(box, "status")["trial"]
    assert (trial["state"], trial["drift"]) == ("running", [])
    assert trial["port"] in [f"127.0.0.1:{port}" for port in ports]
    assert sorted(path.name for path in (box.tree / ".anvil-gen").iterdir()) == [
        ".gitignore",
        "slot.lock",
        "state.json",
    ]


def test_why_a_trial_does_not_start_is_told(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(box.adapted("fakoli-dark"))
    done = box.anvil_gen("experiment", "up", "box", MODEL, check=False)

    assert done.code == 1
    assert f"docker volume create {box.name('hfcache')}\n" in done.stderr


def test_flags_without_the_dashes_are_told_where_they_belong(box: Box) -> None:
    box.render(box.adapted("fakoli-dark"))
    done = box.anvil_gen("experiment", "up", "box", MODEL, "--max-model-len", "1", check=False)

    assert done.code == 1
    assert done.stderr.endswith("anvil-gen experiment up HOST MODEL -- --flag\n")


def test_a_trial_that_ended_is_told_with_its_code(box: Box, model_folder: Path) -> None:
    box.render(slot_box(box, model_folder))
    box.anvil_gen("experiment", "up", "box", MODEL, "--", "--no-such-flag")
    box.engine.docker("wait", box.name("experiment"))

    trial = experiment(box, "status")["trial"]
    assert (trial["state"], trial["exit_code"], trial["started_at"]) == ("exited", 2, "")


def test_a_stale_tree_is_refused(box: Box, model_folder: Path) -> None:
    inventory = slot_box(box, model_folder)
    box.render(inventory)
    inventory["experiment"].setdefault("flags", {})["seed"] = 3
    box.write(inventory)
    done = box.anvil_gen("experiment", "up", "box", MODEL, check=False)

    assert (done.code, done.stdout) == (1, "")
    assert "error: files do not match the inventory\n" in done.stderr
    assert "\n      anvil-gen render hosts/box.toml\n" in done.stderr


@pytest.mark.parametrize("arguments", [("up", MODEL), ("status",), ("down",), ("logs",)], ids=lambda given: given[0])
def test_without_a_daemon_there_is_one_clear_line(box: Box, engine: Engine, arguments: tuple[str, ...]) -> None:
    inventory = box.adapted("fakoli-dark")
    box.render(inventory)
    box.environment["DOCKER_HOST"] = f"unix://{box.folder}/nobody.sock"
    done = box.anvil_gen("experiment", arguments[0], "box", *arguments[1:], check=False)

    assert done.code == 1
    assert done.stderr.startswith("error: Docker does not answer\n"), done.stderr
