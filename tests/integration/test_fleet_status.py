"""`status --all` and `--watch`, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, fleet


def test_all_hosts_are_asked_and_none_fails_the_others(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY, other=INVENTORY)
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", "DOCKER_CONTEXT": ""}
    shown = anvil_gen("status", "--all", cwd=tmp_path, env=nowhere)
    told = json.loads(anvil_gen("status", "--all", "--json", cwd=tmp_path, env=nowhere).stdout)

    assert (shown.code, shown.stderr) == (0, "")
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [["box", "unknown"], ["other", "unknown"]]
    assert [host["host"] for host in told["hosts"]] == ["box", "other"]
    assert all(host["diagnostics"] for host in told["hosts"])


@pytest.mark.parametrize("text", ["schema = \n", "schema = 1\n[tiers.x]\nengine = 3\n", "\0", "schema = 9\n"])
def test_a_host_whose_inventory_cannot_be_read_is_a_row_too(tmp_path: Path, text: str) -> None:
    fleet(tmp_path, box=INVENTORY, odd=text)
    done = anvil_gen("status", "--all", cwd=tmp_path)

    assert (done.code, "Traceback" in done.stderr) == (0, False)
    rows = [line.split()[:2] for line in done.stdout.splitlines()[1:]]
    assert [name for name, _ in rows] == ["box", "odd"]
    assert rows[1][1] == "unknown"


def test_watching_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", "DOCKER_CONTEXT": ""}
    command = [sys.executable, "-m", "anvil_gen", "status", "--all", "--watch"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("unknown") < 2:  # shown twice
            seen += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)

    assert process.returncode == 130


@pytest.mark.parametrize(
    "arguments",
    [("box", "--all"), ("--all", "--mode", "x"), ("box", "--watch", "--json"), ("box", "--watch", "--metrics")],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY)

    assert anvil_gen("status", *arguments, cwd=tmp_path).code == 1
