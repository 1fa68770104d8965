"""What another version of an engine changes for a tier that does not name it."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import LAB, edit, lab_fleet, plan_of

from anvil_gen.deploy.pipeline import generator, write_trees

BEFORE, AFTER = '[tiers.chat]\nengine = "vllm"', '[tiers.chat]\nengine = "vllm"\nimage = "{}"'
DEFAULTS = {
    "--allowed-origins, not given here: default none -> ['*']",
    "--cp-kv-cache-interleave-size, not given here: default none -> 1",
    "--dcp-comm-backend, not given here: default none -> ag_rs",
    "--disable-cascade-attn, not given here: default none -> yes",
}
CASES = {
    ("vllm/vllm-openai:v0.25.0", ""): DEFAULTS,
    ("vllm/vllm-openai:v0.25.0", "flags.dcp-comm-backend = 'a2a'"): {
        *(one for one in DEFAULTS if "dcp" not in one),
        "--dcp-comm-backend, given here: choices: -None",
    },
    (f"vllm/vllm-openai:v0.33.0@sha256:{'0' * 64}", ""): set(),
    ("example.org/own:1", ""): set(),
}


@pytest.mark.parametrize(("image", "flag"), CASES)
def test_what_is_left_to_the_engine(image: str, flag: str, tmp_path: Path) -> None:
    fleet = lab_fleet(tmp_path)
    edit(fleet, BEFORE, f"{AFTER.format(image)}\n{flag}")
    (chat,) = (one for one in plan_of(fleet).services if one.service == "chat")

    assert {note.removeprefix("0.25.0: ") for note in chat.notes} == CASES[image, flag]


def test_no_other_version(tmp_path: Path) -> None:
    fleet = lab_fleet(tmp_path)
    edit(fleet, "port = 30001", "port = 30011")

    assert [one.notes for one in plan_of(fleet).services if one.notes] == []


def test_a_flag_that_a_release_has_no_more_is_told(tmp_path: Path) -> None:
    fleet = lab_fleet(tmp_path)
    edit(fleet, BEFORE, f"{AFTER.format('vllm/vllm-openai:v0.25.0')}\nflags.max-num-partial-prefills = 2")
    write_trees([generator().render(fleet / LAB)])
    edit(fleet, "v0.25.0", "v0.33.0")
    edit(fleet, "flags.max-num-partial-prefills = 2\n", "")
    (chat,) = (one for one in plan_of(fleet).services if one.service == "chat")

    assert "0.33.0: no --max-num-partial-prefills any more, which was given here" in chat.notes
