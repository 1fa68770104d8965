"""`anvil-gen flags` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import anvil_gen


def test_the_flags_of_the_newest_version_and_of_an_older_one(tmp_path: Path) -> None:
    newest = anvil_gen("flags", "vllm", cwd=tmp_path).stdout.splitlines()
    older = anvil_gen("flags", "vllm", "--version", "v0.11.2", cwd=tmp_path).stdout.splitlines()

    assert len(newest) == 320
    assert len(older) == 200
    assert any(line.split() == ["--max-logprobs", "whole", "number,", "default", "20"] for line in newest)


def test_one_flag_through_the_versions(tmp_path: Path) -> None:
    done = anvil_gen("flags", "sglang", "--", "--tensor-parallel-size", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "0.4.6.post5  --tensor-parallel-size: whole number, default 1; also --tp-size",
        "0.5.14       --tp-size: whole number, default 1; also --tensor-parallel-size",
    ]


def test_what_differs_between_two_versions(tmp_path: Path) -> None:
    done = anvil_gen("flags", "vllm", "--diff", "0.11.2", "0.13.0", "--json", cwd=tmp_path)
    changes = {change["name"]: change for change in json.loads(done.stdout)["changes"]}

    assert changes["guided-decoding-backend"]["kind"] == "gone"
    assert "structured-outputs-config" in changes["guided-decoding-backend"]["detail"]
    assert changes["attention-config"]["kind"] == "new"


def test_the_schema_of_a_version_completes_flags_and_knows_their_values(tmp_path: Path) -> None:
    schema = json.loads(anvil_gen("flags", "vllm", "--version", "0.17.1", "--schema", cwd=tmp_path).stdout)[
        "properties"
    ]

    assert schema["enforce-eager"]["type"] == "boolean"
    assert schema["no-enforce-eager"] == {"type": "boolean"}
    assert {"16", 16} <= set(schema["block-size"]["anyOf"][0]["enum"])
    assert "mode" in schema["compilation-config"]["properties"]


def test_ollama_has_variables(tmp_path: Path) -> None:
    done = anvil_gen("flags", "ollama", "OLLAMA_NEW_ENGINE", cwd=tmp_path)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["0.6.8", "OLLAMA_NEW_ENGINE:"],
        ["0.30.11", "gone"],
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "unknown engine"),
        (("custom",), "nothing is known of the flags"),
        (("vllm", "--version", "0.8.5"), "the nearest: 0.9.0"),
        (("vllm", "max-model-length"), 'did you mean "max-model-len"'),
        (("vllm", "seed", "--diff", "0.9.0", "0.9.1"), "--diff cannot be combined"),
    ],
)
def test_what_is_not_known_is_told(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = anvil_gen("flags", *arguments, cwd=tmp_path)
    assert (done.code, told in done.stderr) == (1, True)
