"""What Docker says of itself."""

from __future__ import annotations

import json

import pytest
from fake_engine import NO_DAEMON, FakeDocker, engine

from anvil_gen.machine.docker import Docker
from anvil_gen.machine.docker_info import docker_info, is_older


def test_an_engine_that_answers() -> None:
    facts = docker_info(FakeDocker(engine()))

    assert (facts.client, facts.compose, facts.server, facts.is_available) == ("28.2.2", "2.40.0", "28.2.2", True)
    assert (facts.kernel, facts.local) == ("6.1.0-28-amd64", True)


def test_an_engine_on_another_machine() -> None:
    facts = docker_info(FakeDocker(engine(), at="ssh://me@box"))

    assert (facts.local, facts.endpoint) == (False, "ssh://me@box")


def test_an_engine_that_is_away() -> None:
    answers = {"version": json.dumps({"Client": {"Version": "28.2.2"}, "Server": None}), "": NO_DAEMON}
    facts = docker_info(FakeDocker(answers))

    assert (facts.client, facts.compose, facts.is_available, facts.info) == ("28.2.2", "", False, {})
    assert facts.diagnostic is not None
    assert facts.diagnostic.summary == "Docker does not answer"


def test_no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = docker_info(Docker())

    assert (facts.client, facts.is_available) == ("", False)
    assert facts.diagnostic is not None
    assert facts.diagnostic.summary == "Docker is not installed"


@pytest.mark.parametrize(
    ("version", "older"),
    [("2.19.1", True), ("v2.20.0", False), ("2.26.1-4", False), ("v5.0", False), ("1.29.2", True), ("dev", False)],
)
def test_versions(version: str, older: bool) -> None:
    assert is_older(version, (2, 20)) is older
