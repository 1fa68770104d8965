"""A Compose that is too old, or no Compose at all: `status` says what `up` says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, fleet

FAILS = "echo 'unknown flag: --hash' >&2; exit 1"
DOCKER = """#!/bin/sh
case "$*" in
  *"compose version"*) echo {version}; exit 0;;
  version*--format*json*) echo '{{"Client": {{"Version": "28.0.0"}}, "Server": {{"Version": "28.0.0"}}}}'; exit 0;;
  version*) echo 28.0.0; exit 0;;
  info*) echo '{{"KernelVersion": "6", "OperatingSystem": "x", "Runtimes": {{}}}}'; exit 0;;
  ps*|volume*|network*) exit 0;;
  *inspect*) echo '[]'; exit 0;;
esac
{otherwise}
"""


@pytest.mark.parametrize(
    ("version", "otherwise", "expected"),
    [
        ("2.5.0", FAILS, "compose-too-old"),
        ("2.40.0", "echo all is well", "unexpected-output-from-docker"),
        ("2.5.0", "echo all is well", "compose-too-old"),
    ],
)
def test_status(version: str, otherwise: str, expected: str, tmp_path: Path) -> None:
    home = fleet(tmp_path / "home", box=INVENTORY)
    anvil_gen("render", "box", cwd=home)
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(version=version, otherwise=otherwise))
    docker.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    status = anvil_gen("status", "box", "--json", cwd=home, env=env)

    assert status.code == 1
    assert [one["code"] for one in json.loads(status.stdout)["diagnostics"]] == [expected]
    if otherwise == FAILS:
        up = anvil_gen("up", "box", "--json", cwd=home, env=env)
        assert json.loads(up.stdout)["diagnostics"][0]["code"] == expected
