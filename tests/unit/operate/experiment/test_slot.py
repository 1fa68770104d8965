"""What a trial asks of its slot: the variables that drive it, and every fault of a request at once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from slots import slot

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.operate.experiment.slot import Request, Slot, open_slot, trial_of


def told(found: Slot, **request: Any) -> list[tuple[str, str]]:
    """Return summary and remedy of each fault of a request."""
    with pytest.raises(DiagnosticError) as caught:
        trial_of(found, Request(**{"model": "org/name", **request}))
    return [(diagnostic.summary, diagnostic.remedy) for diagnostic in caught.value.diagnostics]


def test_the_variables_of_a_trial(tmp_path: Path) -> None:
    trial = trial_of(slot(tmp_path), Request(model="org/name", flags=("--a", "", "it's $x", "--b=ü")))

    assert trial.variables == {
        "MODEL": "org/name",
        "SERVED_NAME": "experiment",
        "PORT": "30002",
        "GPU_UUID": "GPU-d0f446cf-1771-414c-e116-a39138798a8c",
        "EXTRA_ARGS": shlex.join(["--a", "", "it's $x", "--b=ü"]),
    }


def test_what_a_person_says_goes_before_the_slots_own(tmp_path: Path) -> None:
    asked = Request(model="a/b:Q4", gpu="small", port=1, served_name="ü/1")

    assert trial_of(slot(tmp_path), asked).variables == {
        "MODEL": "a/b:Q4",
        "SERVED_NAME": "ü/1",
        "PORT": "1",
        "GPU_UUID": "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1",
        "EXTRA_ARGS": "",
    }


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("", 'name a repository, like "openai/gpt-oss-20b"'),
        ("two words", 'write it like "openai/gpt-oss-20b"'),
        ('say"x', 'write it like "openai/gpt-oss-20b"'),
        ("$MODEL", 'write it like "openai/gpt-oss-20b"'),
        ("modèle/x", 'write it like "openai/gpt-oss-20b"'),
        ("a/b\n", 'write it like "openai/gpt-oss-20b"'),
        (
            "--trust-remote-code",
            'write it like "openai/gpt-oss-20b"; engine flags go after --:\n\n'
            "    anvil-gen experiment up box MODEL -- --flag",
        ),
        *(
            (path, 'give the folder a tier of its own, with "standby = true", and add it to a mode')
            for path in ("/srv/models/x", "./x", "../x", "~/x", "C:/models/x", "C:\\models\\x", "\\\\nas\\x", "local")
        ),
    ],
)
def test_a_model_that_the_slot_cannot_load(model: str, remedy: str, tmp_path: Path) -> None:
    assert told(slot(tmp_path), model=model) == [("not a model of the Hugging Face Hub", remedy)]


def test_a_name_may_be_too_long_for_a_file(tmp_path: Path) -> None:
    assert trial_of(slot(tmp_path), Request(model="a" * 5000)).model == "a" * 5000


def test_a_repository_may_have_the_name_of_a_local_folder(tmp_path: Path) -> None:
    found = slot(tmp_path)
    (tmp_path / "models" / "org" / "name").mkdir(parents=True)

    assert trial_of(found, Request(model="org/name")).model == "org/name"


@pytest.mark.parametrize("name", ["", "two words", 'a"b', "a\\b", "a\x00b", "a\n", "\t"])
def test_a_served_name_that_is_none(name: str, tmp_path: Path) -> None:
    assert told(slot(tmp_path), served_name=name) == [("name that is not allowed", "write another --served-name")]


@pytest.mark.parametrize(
    ("own", "gpu", "expected"),
    [
        ('gpu = "big"\n', "Big", ("unknown GPU", 'did you mean "big"?')),
        ('gpu = "big"\n', "", ("unknown GPU", "name one of them")),
        ('gpu = "big"\n', "red", ("GPU of another vendor", 'set gpu = "red" in [experiment]')),
        ("", "big", ("slot has no GPU", 'set gpu = "big" in [experiment]')),
    ],
)
def test_a_card_that_the_slot_cannot_reserve(own: str, gpu: str, expected: tuple[str, str], tmp_path: Path) -> None:
    ((summary, remedy),) = told(slot(tmp_path, own), gpu=gpu)

    assert (summary, remedy[: len(expected[1])]) == expected


@pytest.mark.parametrize(
    ("flags", "summary", "remedy"),
    [
        (("stray", "--a"), "not a flag", "flags start with a dash; a trial takes one MODEL"),
        (("--port", "9"), "flag is set by the slot", "--port NUMBER"),
        (("--served_model_name=x",), "flag is set by the slot", "--served-name NAME"),
        (("--model=x",), "flag is set by the slot", "MODEL"),
    ],
)
def test_flags_that_belong_before_the_dashes(flags: tuple[str, ...], summary: str, remedy: str, tmp_path: Path) -> None:
    ((told_summary, told_remedy),) = told(slot(tmp_path), flags=flags)

    assert (told_summary, told_remedy.endswith(remedy)) == (summary, True)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    summaries = [one for one, _ in told(slot(tmp_path), model="", served_name="", gpu="x", flags=("--port=1", "--a"))]

    assert summaries == [
        "not a model of the Hugging Face Hub",
        "name that is not allowed",
        "flag is set by the slot",
        "unknown GPU",
    ]


def test_a_host_without_a_slot_says_so(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text('schema = 1\n[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\n')
    with pytest.raises(DiagnosticError) as caught:
        open_slot(str(inventory), tmp_path)

    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.summary, diagnostic.detail) == ("no experiment slot", "box has no table [experiment]")


@pytest.mark.parametrize("flags", [("--api-key", "s3cret"), ("--seed=1", "--hf-token=s3cret"), ("-e", "A_KEY=s3cret")])
def test_a_secret_is_no_argument(flags: tuple[str, ...], tmp_path: Path) -> None:
    ((summary, remedy),) = told(slot(tmp_path), flags=flags)

    assert summary == "secret in the arguments"
    assert "environment.NAME" in remedy
