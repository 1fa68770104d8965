"""A machine that is reached by a Docker context: its programs are run over SSH."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.cards import Card, write_nvidia_smi
from fake_engine import FakeDocker

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.ssh import over_ssh
from anvil_gen.onboard.detect import detect, machine_of

RTX5090 = Card("GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1", "NVIDIA GeForce RTX 5090", 32607)
# It runs the command here, in a shell as there, and notes what it was called with.
SSH = """#!/bin/sh
echo "$@" >> {log}
while [ "$#" -gt 1 ]; do shift; done
exec sh -c "PATH={programs}; $1"
"""


@pytest.fixture
def far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a card and a name, and an `ssh` that leads to it; the file says what was run there."""
    write_nvidia_smi(tmp_path / "there" / "nvidia-smi", [RTX5090])
    name = tmp_path / "there" / "hostname"
    name.write_text("#!/bin/sh\necho Far-Away.example\n", "utf-8")
    name.chmod(0o755)
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH.format(log=tmp_path / "log", programs=f"{tmp_path / 'there'}:/usr/bin:/bin"), "utf-8")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:/usr/bin:/bin")
    return tmp_path / "log"


def test_programs_are_run_over_ssh(far_away: Path) -> None:
    run = over_ssh("ssh://me@far-away:2222")
    assert run is not None
    listed, missing = run(["nvidia-smi", "-L"]), run(["no-such-program"])

    assert RTX5090.uuid in listed.stdout
    assert missing.code is None
    assert far_away.read_text("utf-8").splitlines()[0] == "-o BatchMode=yes -p 2222 me@far-away nvidia-smi -L"


@pytest.mark.parametrize("endpoint", ["", "unix:///var/run/docker.sock", "tcp://far-away:2376", "ssh://"])
def test_other_endpoints_lead_to_no_programs(endpoint: str) -> None:
    assert over_ssh(endpoint) is None


class FarAway(FakeDocker):
    """An engine that is reached by SSH."""

    @property
    def endpoint(self) -> str:
        """The other machine's."""
        return "ssh://far-away"


def test_the_machine_of_a_context_is_looked_at(far_away: Path) -> None:
    info = '{"KernelVersion": "6.1.0", "MemTotal": 68719476736, "Runtimes": {"nvidia": {}}}'
    versions = '{"Client": {"Version": "28.0.1"}, "Server": {"Version": "28.0.1"}}'
    at = machine_of(FarAway({"info": info, "version": versions, "compose": "2.33.1", "volume": "hf-cache\n"}))
    found = detect(Catalog(), at, router_port=8000, first_port=30000)

    assert (found.name, found.platform, found.memory_mib) == ("far-away", "linux", 65536)
    assert [card.uuid for card in found.gpus] == [RTX5090.uuid]
    assert (found.models, found.hub_cache, found.cache_volume) == (None, None, "hf-cache")
    assert far_away.exists()


def test_without_another_machine_it_is_this_one() -> None:
    docker = Docker()

    assert machine_of(docker).root == Path("/")
