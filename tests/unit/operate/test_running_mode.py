"""Which mode runs, by what has containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import subject
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.machine.containers import Container
from anvil_gen.operate.running_mode import running_mode

INVENTORY = """schema = 1
[defaults]
engine = "custom"
image = "x:1"
[tiers.one]
port = 1
[tiers.two]
port = 2
[tiers.spare]
port = 3
standby = true
[modes.other]
tiers = ["two", "spare"]
[modes.small]
tiers = ["two"]
"""
ROUTER = '[router]\nkind = "haproxy"\n'


def having(*services: str, **root_files: str) -> dict[str, Container]:
    """Return containers by service, each created from a root file."""
    return {
        service: replace(
            inspected(),
            service=service,
            raw={"Config": {"Labels": {"com.docker.compose.project.config_files": f"/srv/box/{file}"}}},
        )
        for service, file in {**dict.fromkeys(services, "docker-compose.yml"), **root_files}.items()
    }


@pytest.mark.parametrize(
    ("services", "mode"),
    [
        ((), "default"),
        (("one", "two"), "default"),
        (("two", "spare"), "other"),
        (("spare",), "other"),  # one was stopped
        (("two",), "small"),
        (("one",), "default"),
        (("two", "spare", "renamed"), "other"),
        (("one", "two", "spare"), "default"),  # started next to it
    ],
)
def test_the_containers_tell_the_mode(services: tuple[str, ...], mode: str, tmp_path: Path) -> None:
    stack = subject(tmp_path, INVENTORY).deployment.stack
    assert running_mode(stack, having(*services)).title == mode


@pytest.mark.parametrize(
    ("root_file", "mode"),
    [("docker-compose.yml", "default"), ("docker-compose.small.yml", "small"), ("docker-compose.gone.yml", "small")],
)
def test_the_router_tells_it_before_them(root_file: str, mode: str, tmp_path: Path) -> None:
    """Of the default mode one tier was stopped, so that the containers are those of another mode."""
    stack = subject(tmp_path, INVENTORY + ROUTER).deployment.stack
    there = having("two", "router", **{"router-reload": root_file})
    assert running_mode(stack, there).title == mode
