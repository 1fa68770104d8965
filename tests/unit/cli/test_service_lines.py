"""The lines about services: of what is planned, what was done and what differs, all alike."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from msgspec.structs import replace
from plans import LAB, edit, lab_fleet

from anvil_gen.cli.views.plan import plan_lines
from anvil_gen.cli.views.render import TextView
from anvil_gen.cli.views.services import show_results, show_status
from anvil_gen.deploy.compose_diff import Action, Change
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.operate.deployment import Deployment, open_deployment
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.service_results import Result, ServiceAction
from anvil_gen.operate.status import Row, Status
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_plan import HostPlan
from anvil_gen.review.live import results_with_causes, status_with_causes

LENGTH = Change(
    action=Action.UPDATE,
    project="anvil-lab-quad",
    address=("services", "chat", "command", "--max-model-len"),
    before="32768",
    after="65536",
)
TOLD = "    context_length 32768 -> 65536 (--max-model-len)  hosts/lab-quad.toml:46"
RECREATED = Result(service="chat", action=ServiceAction.RECREATED, container="chat", changes=(LENGTH,))
ROW = Row(
    tier="chat",
    service="chat",
    container="chat",
    state="running",
    health=None,
    served_name="",
    models=(),
    gpus=(),
    started_at="",
    ports=(),
    drift=(Drift(kind="config", detail="created from another configuration", changes=(LENGTH,)),),
)
STATUS = Status(host="lab-quad", project="anvil-lab-quad", mode="a", modes=("a",), rows=(ROW,), stale=None)


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.chdir(lab_fleet(tmp_path))
    return open_deployment(LAB, Path())


def test_what_up_did_has_the_line_of_the_inventory(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    show_results("lab-quad", results_with_causes([RECREATED], deployment), as_json=False)

    assert capsys.readouterr().out.splitlines() == ["~ chat  recreated", TOLD]


def test_drift_has_the_line_of_the_inventory(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    show_status(status_with_causes(STATUS, deployment), as_json=False)

    assert capsys.readouterr().out.splitlines()[-2:] == ["~ chat  recreate (created from another configuration)", TOLD]


def test_what_a_render_changes_has_the_line_of_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lab_fleet(tmp_path))
    edit(Path(), "context_length = 65536", "context_length = 32768")
    edit(Path(), "port = 30003", 'port = 30003\nrestart = "unless-stopped"')
    made = generator()
    TextView(made).written(write_trees(made.render_all([Path(LAB)])))

    assert capsys.readouterr().out.splitlines()[-5:] == [
        "  ~ chat    recreate (away until its new container is ready; start: up to 15m)",
        "      context_length 65536 -> 32768 (--max-model-len)  hosts/lab-quad.toml:46",
        "  @ router  reload (without a restart, no request is lost)",
        "      routes, by tiers.chat.context_length  hosts/lab-quad.toml:46",
        "  changes no file: tiers.rerank.restart unless-stopped added  hosts/lab-quad.toml:84",
    ]


def test_what_up_cannot_mend_has_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    held = Drift(kind="port", detail="port 30000 is in use", remedy="ss -ltnp")
    show_status(replace(STATUS, rows=(replace(ROW, drift=(held,)),)), as_json=False)

    assert capsys.readouterr().out.splitlines()[-3:] == ["! chat  port 30000 is in use", "", "    ss -ltnp"]


@pytest.mark.parametrize("action", [one for one in ServiceAction if one.consequence is not None])
def test_what_was_done_stands_where_it_was_planned(action: ServiceAction, capsys: pytest.CaptureFixture[str]) -> None:
    consequence = action.consequence or Consequence.NONE
    change = ServiceChange(
        service="chat", project="p", root="", consequence=consequence, changes=(LENGTH,), before={"a": 1}, after={}
    )
    plan = HostPlan(host="box", inventory="hosts/box.toml", stack=None, services=(change,), files=())
    show_results("box", [Result(service="chat", action=action, container="chat", changes=(LENGTH,))], as_json=False)
    done, planned = capsys.readouterr().out.splitlines(), [*map(click.unstyle, plan_lines(plan))]

    assert done[0] == f"{consequence.wording.symbol} chat  {consequence.wording.done}"
    assert planned[0].startswith(f"{consequence.wording.symbol} chat  {consequence.value}")
    assert done[1:] == planned[1:] == ["    --max-model-len 32768 -> 65536"]
