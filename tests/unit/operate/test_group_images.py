"""One image by name on two hosts, which is two images once its tag has moved on one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeDocker, container, engine
from group_fleets import write_pair
from msgspec.structs import replace

from anvil_gen.cli.group_verbs import Tell, up_group
from anvil_gen.deploy.pipeline import Generator, write_trees
from anvil_gen.diagnostics import DiagnosticError, ExitCode
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.ranks import check_rank_images
from anvil_gen.operate.group import OperatedRank, group_status, ranks_of_group

NAME = "vllm/vllm-openai:v0.33.0"
OLD, NEW = "1" * 64, "2" * 64


def image(digit: str, *, tagged: bool = True, registry: str = "") -> dict[str, Any]:
    """Return an image as `docker image inspect` tells it."""
    digests = [f"vllm/vllm-openai@sha256:{registry}"] if registry else []
    return {"Id": f"sha256:{digit}", "RepoTags": [NAME] if tagged else [], "RepoDigests": digests}


def host(*images: dict[str, Any], runs: str = "", project: str) -> FakeDocker:
    """Return the engine of a host that has images, of which its rank runs one."""
    one = container("big", project=project, service="big")
    one |= {"Image": f"sha256:{runs}", "State": {"Status": "running", "StartedAt": "2026-11-29T10:00:00Z"}}
    one["Config"]["Image"] = NAME
    one["Config"]["Labels"]["com.docker.compose.config-hash"] = OLD
    running = {"ps": "big running x", "container_inspect": json.dumps([one])} if runs else {}
    return FakeDocker(engine(image_inspect=json.dumps(images), compose=f"big {OLD}\n", **running))


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[OperatedRank]:
    """The pair, rendered; each host is on an engine of its own once it is given one."""
    write_trees(Generator().render_all(write_pair(tmp_path, first="")))
    monkeypatch.chdir(tmp_path)
    return ranks_of_group("sparks", tmp_path)


def on(ranks: list[OperatedRank], *engines: FakeDocker) -> list[OperatedRank]:
    for rank, docker in zip(ranks, engines, strict=True):
        rank.deployment.project = replace(rank.deployment.project, docker=docker)
    return ranks


def drifts(ranks: list[OperatedRank]) -> list[tuple[str, str]]:
    return [(one.detail, one.remedy) for one in group_status(ranks).drift if one.kind == "image"]


def test_ranks_of_different_images_are_a_drift_of_the_group(pair: list[OperatedRank]) -> None:
    """Also where each runs what the tag means on its own host, so that no container is out of date."""
    on(pair, host(image(OLD), runs=OLD, project="spark-a"), host(image(NEW), runs=NEW, project="spark-b"))

    difference = f"ranks run different images: {NAME} is {OLD[:12]} on spark-a, and {NEW[:12]} on spark-b"
    assert drifts(pair) == [(difference, "anvil-gen up sparks --pull")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (image(OLD), image(OLD)),
        # What Docker calls the image itself depends on where it keeps images.
        (image(OLD, registry="9" * 64), image(NEW, registry="9" * 64)),
    ],
)
def test_one_image_on_both_hosts_is_no_drift(
    pair: list[OperatedRank], first: dict[str, Any], second: dict[str, Any]
) -> None:
    on(
        pair,
        host(first, runs=first["Id"][7:], project="spark-a"),
        host(second, runs=second["Id"][7:], project="spark-b"),
    )

    assert drifts(pair) == []


def up(ranks: list[OperatedRank], *, pull: bool = False, as_json: bool = False) -> tuple[ExitCode, list[str]]:
    """Bring a group up without doing it; return what would have been done."""
    done: list[str] = []

    def start(path: str, tier: str, tell: Tell) -> ExitCode:
        done.append(f"up {Path(path).stem} {tier}")
        tell(host=Path(path).stem, services=[{"service": tier}], diagnostics=[])
        return ExitCode.OK

    def stop(path: str, tier: str, tell: Tell) -> ExitCode:
        done.append(f"down {Path(path).stem} {tier}")
        tell(services=[])
        return ExitCode.OK

    return up_group(ranks, start, stop, render=False, pull=pull, as_json=as_json), done


@pytest.fixture
def operable(pair: list[OperatedRank], monkeypatch: pytest.MonkeyPatch) -> list[OperatedRank]:
    """The pair, of which one host is this machine, and the other has a context that leads to its tree."""
    contexts = {rank.host: rank.deployment for rank in pair}
    contexts["spark-b"].host.options = replace(contexts["spark-b"].host.options, docker_context="there")
    return pair


def errors(ranks: list[OperatedRank]) -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        up(ranks)
    assert {one.code for one in caught.value.diagnostics} == {"hosts-of-a-group-differ"}
    assert all("\n    anvil-gen up sparks --pull\n" in one.remedy for one in caught.value.diagnostics)
    return [one.detail for one in caught.value.diagnostics]


def test_ranks_that_would_start_from_different_images_are_refused_before_anything_is_stopped(
    operable: list[OperatedRank],
) -> None:
    old, new = image(OLD, tagged=False), image(NEW)
    on(operable, host(image(OLD), runs=OLD, project="spark-a"), host(old, new, runs=OLD, project="spark-b"))

    assert errors(operable) == [f"{NAME} is {OLD[:12]} on spark-a, and {NEW[:12]} on spark-b"]


def test_a_host_that_would_pull_what_the_other_has_already_is_refused(operable: list[OperatedRank]) -> None:
    on(operable, host(image(OLD), project="spark-a"), host(project="spark-b"))

    assert errors(operable) == [f"spark-b does not have {NAME} yet, and would pull what the tag means now"]


def test_two_hosts_without_the_image_both_pull_it(operable: list[OperatedRank]) -> None:
    on(operable, host(project="spark-a"), host(project="spark-b"))

    assert up(operable) == (ExitCode.OK, ["up spark-b big", "up spark-a big"])


def test_a_pull_starts_all_again_and_what_still_differs_is_an_error(
    operable: list[OperatedRank], capsys: pytest.CaptureFixture[str]
) -> None:
    on(operable, host(image(OLD), runs=OLD, project="spark-a"), host(image(NEW), runs=NEW, project="spark-b"))

    code, done = up(operable, pull=True, as_json=True)

    assert (code, done) == (
        ExitCode.ERROR,
        ["down spark-a big", "down spark-b big", "up spark-b big", "up spark-a big"],
    )
    said = json.loads(capsys.readouterr().out)  # one document
    assert [(one["rank"], one["host"], one["services"]) for one in said["ranks"]] == [
        (0, "spark-a", [{"service": "big"}]),
        (1, "spark-b", [{"service": "big"}]),
    ]
    assert said["reasons"][0].startswith("ranks run different images")
    assert [one["code"] for one in said["diagnostics"]] == ["hosts-of-a-group-differ"]


def test_a_host_that_does_not_answer_stops_nothing_on_the_others(operable: list[OperatedRank]) -> None:
    on(operable, host(image(OLD), runs=OLD, project="spark-a"), FakeDocker({}))

    with pytest.raises(DiagnosticError) as caught:
        up(operable)

    assert [one.code for one in caught.value.diagnostics] == ["docker-does-not-answer"]


def doctor(ranks: list[OperatedRank], number: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what `doctor` says of the images of a group on one of its hosts."""
    monkeypatch.setattr("anvil_gen.operate.doctor.ranks.ranks_of_group", lambda *_: ranks)
    deployment: Deployment = ranks[number].deployment
    checks = list(check_rank_images(DoctorContext(deployment, deployment.mode(None), shell={})))
    return [(one.verdict, one.found if one.diagnostic is None else one.diagnostic.detail) for one in checks]


def test_doctor_compares_what_runs_and_what_would_start(
    pair: list[OperatedRank], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(pair, host(image(OLD), runs=OLD, project="spark-a"), host(image(NEW), project="spark-b"))
    assert doctor(pair, 0, monkeypatch) == [("fail", f"{NAME} is {OLD[:12]} on spark-a, and {NEW[:12]} on spark-b")]

    on(pair, host(image(OLD), runs=OLD, project="spark-a"), host(image(OLD), project="spark-b"))
    assert doctor(pair, 1, monkeypatch) == [("pass", f"{NAME}, the same on 2 hosts")]

    on(pair, host(image(OLD), runs=OLD, project="spark-a"), FakeDocker({}))
    assert doctor(pair, 0, monkeypatch) == []
