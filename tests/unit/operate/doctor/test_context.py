"""What is examined: each fact is asked for once."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import FakeDocker, engine, subject
from fake_machine import LINUX_KERNEL, WSL2_KERNEL, kernel
from running import INVENTORY, SECOND_TIER

from anvil_gen.machine.subprocesses import Answer
from anvil_gen.operate.doctor.context import DoctorContext


def test_some_services_of_a_mode(tmp_path: Path) -> None:
    whole = subject(tmp_path, INVENTORY + SECOND_TIER, engine())
    some = DoctorContext(whole.deployment, whole.mode, ["heavy"])

    assert [one.service for one in whole.requirements] == ["fast", "heavy"]
    assert [one.service for one in some.requirements] == ["heavy"]


def test_facts_are_asked_for_once(tmp_path: Path) -> None:
    runs = []
    host = subject(tmp_path, INVENTORY, engine(), run=lambda command: runs.append(command) or Answer())  # type: ignore[func-returns-value]
    assert isinstance(host.docker, FakeDocker)

    assert (host.docker_info, host.requirements, host.containers) == (
        host.docker_info,
        host.requirements,
        host.containers,
    )
    assert host.listing("nvidia") == host.listing("nvidia")
    assert len(host.docker.asked) == len(set(host.docker.asked))
    assert len(runs) == 1


@pytest.mark.parametrize(("release", "platform"), [(LINUX_KERNEL, "linux"), (WSL2_KERNEL, "wsl2")])
def test_without_an_engine_the_machine_tells_its_platform(release: str, platform: str, tmp_path: Path) -> None:
    root = kernel(tmp_path / "root", {"proc/sys/kernel/osrelease": release})

    assert subject(tmp_path, INVENTORY, root=root).platform == platform
