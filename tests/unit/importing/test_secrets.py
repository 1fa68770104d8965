"""Secrets that a source writes out: the variables in their places."""

from __future__ import annotations

from anvil_gen.importing.secrets import hide_secrets


def test_an_entry_of_a_list_keeps_its_name() -> None:
    written = ["DB_PASSWORD=correct-horse", "TOKEN", {"interpolate": "API_KEY=${API_KEY:-battery-staple}"}, "HOME=/x"]
    data = {"services": {"db": {"image": "x:1", "environment": written}}}

    hidden = hide_secrets(data)

    assert data["services"]["db"]["environment"] == [
        {"interpolate": "DB_PASSWORD=${DB_PASSWORD}"},
        "TOKEN",
        {"interpolate": "API_KEY=${API_KEY}"},
        "HOME=/x",
    ]
    assert hidden.values == {"DB_PASSWORD": "correct-horse", "API_KEY": "battery-staple"}
