"""`status --all` and `status --metrics`: hosts in rows, and what they say as metrics."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

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


GPUS = "left 20.1/24.0 GiB, right 19.0 GiB"


def test_requests_and_memory_are_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(STATUS, as_json=False)
    head, line = capsys.readouterr().out.splitlines()

    assert line[head.index("gpus") :].startswith("left 20.1/24.0 GiB, right 19.0 GiB")
    assert line[head.index("requests") :].startswith("2 running, 5 waiting")


def test_a_host_that_does_not_answer_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    show_fleet(ANSWERS, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        f"host  state      mode     services                {'gpus':34}  requests              drift",
        f"box   healthy    default  1 of 1                  {GPUS}  2 running, 5 waiting  -",
        f"lab   unhealthy  coding   1 of 2                  {GPUS}  2 running, 5 waiting  config",
        f"far   unknown    -        Docker does not answer  {'-':34}  -                     -",
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
