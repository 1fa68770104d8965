"""The markers with which an import is proved."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.importing.assignments import from_the_root, markers


def test_what_is_passed_on_by_its_name_is_marked_too() -> None:
    services = {
        "a": {"environment": ["TOKEN", "MODE=${MODE:-1}", "PATH", "COMPOSE_FILE"]},
        "b": {"environment": {"HOME_PAGE": None, "SET": "x"}, "build": {"args": {"KEY": None}}},
    }

    assert markers({"services": services}) == {
        "TOKEN": "marked-token",
        "HOME_PAGE": "marked-home-page",
        "KEY": "marked-key",
        "MODE": "2",
    }


def test_relative_paths_of_variables_are_written_from_the_root_on(tmp_path: Path) -> None:
    mounts = ["${DATA:-x}/sub:/data", "${ABOVE}:/above", "${HERE}:/here", "${NAMED}:/named", "${WHOLE}:/whole"]
    services = {"a": {"volumes": mounts, "build": {"context": "${CONTEXT}"}, "command": "x ${WORD}"}}
    values = {
        "DATA": "./d",
        "ABOVE": "../a",
        "HERE": ".",
        "NAMED": "vol",
        "WHOLE": "/w",
        "CONTEXT": "./c",
        "WORD": "./x",
    }

    assert from_the_root({"services": services}, values, tmp_path / "box") == {
        "DATA": f"{tmp_path}/box/d",
        "ABOVE": f"{tmp_path}/a",
        "HERE": f"{tmp_path}/box",
        "CONTEXT": f"{tmp_path}/box/c",
    }
