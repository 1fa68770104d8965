"""The markers with which an import is proved."""

from __future__ import annotations

from anvil_gen.importing.assignments import markers


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
