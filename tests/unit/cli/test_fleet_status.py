"""`status --all` and `status --metrics`: hosts in rows, and what they say as metrics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from running import INVENTORY, anvil_gen, fleet

from anvil_gen.cli.views.fleet_status import show_fleet, show_metrics
from anvil_gen.cli.views.services import show_status
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.machine.engine_metrics import sums_of
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.status import Row, Status
from anvil_gen.operate.statuses import Answer

ROW = Row(
    tier="fast",
    service="fast",
    container="fast",
    state="running",
    health="healthy",
    served_name="gpt-oss-20b",
    models=("gpt-oss-20b",),
    gpus=("left", "right"),
    started_at="",
    ports=(),
    drift=(),
    requests_running=2,
    requests_waiting=5,
    gpu_memory=("left 20.1/24.0 GiB", "right 19.0 GiB"),
)
STATUS = Status(host="box", project="box", mode="default", modes=("default",), rows=(ROW,), stale=None)
DOWN = replace(ROW, service="ui", tier="", state="exited", health=None, requests_running=None, requests_waiting=None)
DRIFT = Drift(kind="config", detail="", remedy="", changes=())
ANSWERS = [
    Answer(host="box", status=STATUS, models_free_bytes=7 << 30),
    Answer(host="lab", status=replace(STATUS, mode="coding", rows=(replace(ROW, drift=(DRIFT, DRIFT)), DOWN))),
    Answer(host="far", status=None, diagnostics=(Diagnostic(code="docker-does-not-answer"),)),
]


def test_requests_and_memory_are_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(STATUS, as_json=False)
    head, line = capsys.readouterr().out.splitlines()

    assert line[head.index("gpus") :].startswith("left 20.1/24.0 GiB, right 19.0 GiB")
    assert line[head.index("requests") :].startswith("2 running, 5 waiting")


def test_a_host_that_does_not_answer_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    show_fleet(ANSWERS, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "host  state      mode     services                requests              drift",
        "box   healthy    default  1 of 1                  2 running, 5 waiting  -",
        "lab   unhealthy  coding   1 of 2                  2 running, 5 waiting  config",
        "far   unknown    -        Docker does not answer  -                     -",
    ]


def test_metrics_are_of_prometheus_form(capsys: pytest.CaptureFixture[str]) -> None:
    show_metrics(ANSWERS)
    printed = capsys.readouterr().out

    assert 'anvil_gen_drift{host="box",service="fast",kind=""} 0\n' in printed
    assert printed.count('anvil_gen_drift{host="lab",service="fast",kind="config"} 1\n') == 1
    assert f'anvil_gen_models_free_bytes{{host="box"}} {7 << 30}\n' in printed
    assert 'anvil_gen_status_known{host="far"} 0\n' in printed
    assert printed.count("# TYPE anvil_gen_drift gauge\n") == 1
    assert sums_of(printed)["anvil_gen_status_known"] == 2


def test_all_hosts_are_asked_and_none_fails_the_others(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY, other=INVENTORY)
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", "DOCKER_CONTEXT": ""}
    shown = anvil_gen("status", "--all", cwd=tmp_path, env=nowhere)
    told = json.loads(anvil_gen("status", "--all", "--json", cwd=tmp_path, env=nowhere).stdout)

    assert (shown.code, shown.stderr) == (0, "")
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [["box", "unknown"], ["other", "unknown"]]
    assert [host["host"] for host in told["hosts"]] == ["box", "other"]
    assert all(host["diagnostics"] for host in told["hosts"])


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
        process.communicate(timeout=60)

    assert process.returncode == 130


@pytest.mark.parametrize(
    "arguments",
    [("box", "--all"), ("--all", "--mode", "x"), ("box", "--watch", "--json"), ("box", "--watch", "--metrics")],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY)

    assert anvil_gen("status", *arguments, cwd=tmp_path).code == 1
