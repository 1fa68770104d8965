"""What `up` and `status` print."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from anvil_gen.cli.views.services import show_results, show_status
from anvil_gen.deploy.compose_diff import Action, Change
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.service_results import Result, ServiceAction
from anvil_gen.operate.status import Row, Status

LENGTH = Change(
    action=Action.UPDATE,
    project="box",
    address=("services", "fast", "command", "--max-model-len"),
    before="65536",
    after="32768",
)
RESULTS = [
    Result(service="heavy", action=ServiceAction.UNCHANGED, container="heavy"),
    Result(service="fast", action=ServiceAction.RECREATED, container="fast", changes=(LENGTH,)),
    Result(service="ui", action=ServiceAction.STARTED, container="ui", reason="it was exited"),
    Result(service="web", action=ServiceAction.MISSING, container=""),
]
ROW = Row(
    tier="fast",
    service="fast",
    container="fast",
    state="running",
    health="healthy",
    served_name="gpt-oss-20b",
    models=("gpt-oss-20b", "fast"),
    gpus=("rtx5090",),
    started_at="",
    ports=("127.0.0.1:30001",),
    drift=(),
)
STATUS = Status(host="box", project="box", mode="default", modes=("default",), rows=(ROW,), stale=None)


def test_results_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_results("box", RESULTS, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "= heavy  unchanged",
        "~ fast   recreated",
        "    --max-model-len 65536 -> 32768",
        "+ ui     started (it was exited)",
        "! web    has no container",
    ]


def test_the_mode_is_named_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(STATUS, as_json=False)
    assert "mode:" not in capsys.readouterr().out

    show_status(replace(STATUS, mode="coding", modes=("default", "coding")), as_json=False)
    assert capsys.readouterr().out.startswith("mode: coding\n")


def test_results_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_results("box", RESULTS, as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert [one["action"] for one in told["services"]] == ["unchanged", "recreated", "started", "missing"]
    assert told["services"][1]["changes"][0]["after"] == "32768"


def printed(status: Status, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that a status prints."""
    show_status(status, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_a_table_has_no_column_that_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    idle = replace(ROW, tier="heavy", service="sglang", state="absent", health=None, models=(), gpus=(), ports=())

    assert printed(replace(STATUS, rows=(ROW, idle)), capsys) == [
        "tier   service  state    health   model              gpus     port",
        "fast   fast     running  healthy  gpt-oss-20b, fast  rtx5090  127.0.0.1:30001",
        "heavy  sglang   absent   -        (gpt-oss-20b)      -        -",
    ]


def test_a_drift_stands_below_with_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    drift = Drift(
        kind="config", detail="created from another configuration", remedy="anvil-gen up box", changes=(LENGTH,)
    )
    lines = printed(replace(STATUS, rows=(replace(ROW, drift=(drift, drift)),)), capsys)

    assert lines[1].endswith("  config")
    assert lines[3:7] == [
        "~ fast  recreate (created from another configuration)",
        "    --max-model-len 65536 -> 32768",
        "",
        "    anvil-gen up box",
    ]


def test_stale_files_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    stale = Diagnostic(code="files-do-not-match-the-inventory", remedy="render")

    assert "error: files do not match the inventory" in printed(replace(STATUS, stale=stale), capsys)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3600 * 5 + 59, "5h"), (86400 * 3, "3d"), (-30, "0s")],
)
def test_how_long_it_is_up(ago: int, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    began = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    head, line = printed(replace(STATUS, rows=(replace(ROW, started_at=began),)), capsys)

    assert line[head.index("up ") :].split()[0] in (expected, f"{ago + 1}s")


def test_a_status_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    drift = Drift(kind="port", detail="held", remedy="ss", changes=())
    show_status(replace(STATUS, rows=(replace(ROW, drift=(drift,)),)), as_json=True)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)

    assert (told["mode"], told["stale"]) == ("default", None)
    assert told["services"][0]["cards"] == list(ROW.gpus)
    assert told["services"][0]["drift"] == [{"kind": "port", "detail": "held", "remedy": "ss", "changes": []}]
