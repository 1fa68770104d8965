"""Engines on another host, which cannot mount files of this one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import engine, subject

from anvil_gen.operate.doctor.remote import unmountable

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "gpt-oss-20b" }
[router]
kind = "anvil"
api_key_env = "KEY"
"""
PLAIN = INVENTORY.partition("[router]")[0]


@pytest.mark.parametrize(
    ("endpoint", "commands"),
    [
        ("ssh://me@box", ["rsync -a {folder}/ me@box:box/", "ssh me@box 'cd box && docker compose up -d'"]),
        (
            "ssh://box:2222/run/x.sock",
            ["rsync -a -e 'ssh -p 2222' {folder}/ box:box/", "ssh -p 2222 box 'cd box && docker compose up -d'"],
        ),
        ("tcp://10.0.0.9:2375", ["rsync -a {folder}/ HOST:box/", "ssh HOST 'cd box && docker compose up -d'"]),
    ],
)
def test_the_way_on(endpoint: str, commands: list[str], tmp_path: Path) -> None:
    host = subject(tmp_path, INVENTORY, engine(), at=endpoint)
    diagnostic = unmountable(host.deployment, host.requirements, endpoint)

    assert diagnostic is not None
    assert "router/router.toml (by router)" in diagnostic.detail
    assert "started from here: fast" in diagnostic.detail
    folder = tmp_path / "deploy" / "box"
    assert [line.strip() for line in diagnostic.remedy.splitlines()[2:]] == [
        line.format(folder=folder) for line in commands
    ]


def test_a_tree_without_such_files(tmp_path: Path) -> None:
    host = subject(tmp_path, PLAIN, engine(), at="ssh://me@box")

    assert unmountable(host.deployment, host.requirements, "ssh://me@box") is None
