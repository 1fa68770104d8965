"""The trial in a slot, as its container tells it, and as people and programs are told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from inspected import inspected
from msgspec.structs import replace
from slots import slot

from anvil_gen.cli.views.experiment import held_gpu, show_started, show_trial
from anvil_gen.deploy.compose_diff import Action, Change
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.experiment.slot import Request, trial_of
from anvil_gen.operate.experiment.trial import (
    Started,
    TrialStatus,
    display_flags,
    restart_command,
    variables_of_container,
)
from anvil_gen.operate.gpu_usage import GpuUse, Holder
from anvil_gen.operate.service_results import Result, ServiceAction

SMALL = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
STATUS = TrialStatus(
    host="box",
    project="box-experiment",
    container="slot",
    variables={"MODEL": "org/name", "SERVED_NAME": "trial", "EXTRA_ARGS": "--api-key k3y --x 'a b'"},
    gpu="small",
    port="127.0.0.1:1",
    state="exited",
    health=None,
    exit_code=3,
    started_at="",
    drift=(Drift(kind="image", detail="x:1 is another image now", remedy="anvil-gen experiment up box org/name"),),
    stale=None,
)


def test_a_container_tells_the_variables_of_its_trial() -> None:
    labels = {"anvil-gen.trial.MODEL": "a/b", "anvil-gen.trial.EXTRA_ARGS": "", "anvil-gen.trial.X": "y", "other": "z"}

    assert variables_of_container(inspected(Labels=labels)) == {"MODEL": "a/b", "EXTRA_ARGS": ""}
    assert variables_of_container(inspected()) == {}


def test_a_trial_is_started_again_as_it_was(tmp_path: Path) -> None:
    found = slot(tmp_path)
    asked = Request(model="a/b", gpu="small", port=5, served_name="it's", flags=("--x", "a b", "--y=", "-5"))
    words = shlex.split(restart_command(found, trial_of(found, asked).variables))

    assert words == [
        *("anvil-gen", "experiment", "up", "box", "a/b", "--gpu", "small", "--port", "5", "--served-name", "it's"),
        *("--", "--x", "a b", "--y=", "-5"),
    ]


@pytest.mark.parametrize(
    ("extra", "shown"), [("", ""), ("--x 'a b'", "--x 'a b'"), ("--api-key k3y", "--api-key …"), ("--x 'open", "…")]
)
def test_flags_are_shown_without_secrets(extra: str, shown: str) -> None:
    assert display_flags({"EXTRA_ARGS": extra}) == shown


def test_the_facts_of_a_trial(capsys: pytest.CaptureFixture[str]) -> None:
    show_trial(STATUS, as_json=False)

    assert capsys.readouterr().out == (
        "model        org/name\n"
        "served name  trial\n"
        "flags        --api-key … --x 'a b'\n"
        "gpu          small\n"
        "port         127.0.0.1:1\n"
        "state        exited (3)\n"
        "health       -\n"
        "up           -\n"
        "drift        image\n"
        "\n"
        "~ experiment  recreate (x:1 is another image now)\n"
        "\n"
        "    anvil-gen experiment up box org/name\n"
    )


def test_the_facts_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    show_trial(STATUS, as_json=True)
    said = json.loads(capsys.readouterr().out)
    show_trial(replace(STATUS, container="", variables={}, drift=()), as_json=True)
    empty = json.loads(capsys.readouterr().out)

    assert said["trial"]["exit_code"] == 3
    assert "k3y" not in json.dumps(said)
    assert (empty["format"], empty["project"], empty["trial"]) == (1, "box-experiment", None)


def test_an_empty_slot_says_how_to_fill_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_trial(replace(STATUS, container="", drift=()), as_json=False)

    assert capsys.readouterr().out.endswith("\n\n    anvil-gen experiment up box MODEL\n")


def use(folder: Path, *holders: Holder, memory: int | None = 1000, left: int | None = 500) -> GpuUse:
    """Return how a card is used."""
    card = replace(slot(folder).deployment.stack.gpus[0], memory_mib=memory)
    return GpuUse(gpu=card, holders=holders, left_mib=left)


def holder(**facts: Any) -> Holder:
    """Return a tier that runs, but for some facts."""
    return Holder(**{"tier": "one", "running": True, "in_default_mode": True, "takes_mib": 500, **facts})


def test_who_holds_a_card(tmp_path: Path) -> None:
    diagnostic = held_gpu("box", use(tmp_path, holder(), holder(tier="two", running=False, takes_mib=None)), 250)
    assert diagnostic is not None

    assert (diagnostic.summary, diagnostic.severity) == ("GPU is in use", "warning")
    assert diagnostic.detail.splitlines() == [
        "big",
        "one: in the default mode, running, uses 500 MiB",
        "two: in the default mode, not running",
        "1000 MiB, 500 MiB free; the trial needs 250 MiB",
    ]
    assert diagnostic.remedy.endswith("\n    anvil-gen down box one")


def test_what_cannot_be_told_of_a_card_is_not(tmp_path: Path) -> None:
    unknown = held_gpu("box", use(tmp_path, holder(in_default_mode=False), left=None), None)
    assert unknown is not None

    assert unknown.detail.splitlines() == [
        "big",
        "one: in another mode, running, uses 500 MiB",
        "1000 MiB, free memory unknown",
    ]
    assert held_gpu("box", use(tmp_path / "2"), 1) is None
    assert held_gpu("box", None, None) is None


def test_what_was_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = replace(trial_of(slot(tmp_path), Request(model="a/b")), flags=("--hf-token", "s3cret"))
    change = Change(
        action=Action.UPDATE, project="p", address=("services", "experiment", "command", "--x"), before="1", after="2"
    )
    result = Result(service="experiment", action=ServiceAction.RECREATED, container="c", changes=(change,))
    started = Started(host="box", trial=trial, result=result, address="127.0.0.1:30002", code=0)
    show_started(started, None, as_json=False)
    text = capsys.readouterr().out
    show_started(started, None, as_json=True)
    said = json.loads(capsys.readouterr().out)

    assert text == (
        "~ experiment  recreated\n    --x 1 -> 2\n\n"
        'a/b as "experiment" at http://127.0.0.1:30002; to follow its log:\n\n    anvil-gen experiment logs box -f\n'
    )
    assert (said["model"], said["card"], said["service"]["action"]) == ("a/b", None, "recreated")
    assert said["flags"] == ["--hf-token", "…"]
