"""The verbs of a host whose services systemd runs, by a systemctl that writes down what it is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from places import REPOSITORY

from anvil_gen.cli.main import cli
from anvil_gen.diagnostics import DiagnosticError

SYSTEMCTL = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
*show*) cat "$SAID" 2>/dev/null ;;
esac
"""
Run = Callable[..., Result]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fleet with a host of quadlets, of a user who is not root."""
    text = (REPOSITORY / "hosts/lab-quad.toml").read_text("utf-8").replace("../examples/", "../deploy/")
    (tmp_path / "hosts" / "files").mkdir(parents=True)
    (tmp_path / "hosts" / "files" / "qwen3-tools.jinja").write_text("x\n", "utf-8")
    (tmp_path / "hosts" / "lab.toml").write_text(text.replace("[host]", '[host]\ntarget = "quadlet"'), "utf-8")
    for name in ("systemctl", "journalctl"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(SYSTEMCTL, "utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments], standalone_mode=False, catch_exceptions=False)


def calls(fleet: Path) -> list[str]:
    found = (fleet / "calls").read_text("utf-8").splitlines()
    (fleet / "calls").unlink()
    return [line for line in found if " show " not in line]


def test_a_render_without_a_target_is_for_the_hosts_own(fleet: Path) -> None:
    run("render", "lab")

    assert (fleet / "deploy/lab-quad/quadlet/anvil-lab-quad-chat.container").is_file()
    assert not (fleet / "deploy/lab-quad/docker-compose.yml").exists()
    assert run("render", "lab", "--target", "compose").return_value == 0
    assert (fleet / "deploy/lab-quad/docker-compose.yml").is_file()


def test_up_links_what_is_rendered_and_starts_a_mode(fleet: Path) -> None:
    run("render", "lab")

    run("up", "lab")
    first = calls(fleet)
    run("up", "lab", "chat", "--wait")
    run("up", "lab", "--mode", "coding")

    units = ["chat", "writer", "embed", "rerank", "router", "router-reload"]
    named = " ".join(f"anvil-lab-quad-{unit}.service" for unit in units)
    # A target starts whatever becomes of its units, so that they are named too.
    assert first == [
        "systemctl --user daemon-reload",
        f"systemctl --user start --no-block anvil-lab-quad.target {named}",
    ]
    found = calls(fleet)
    assert found[:3] == [
        "systemctl --user daemon-reload",
        "systemctl --user start anvil-lab-quad-chat.service",
        "systemctl --user daemon-reload",
    ]
    assert found[3].startswith("systemctl --user start --no-block anvil-lab-quad-coding.target ")
    assert "anvil-lab-quad-coder.service" in found[3]
    linked = fleet / "config/containers/systemd/anvil-lab-quad"
    assert linked.readlink() == fleet / "deploy/lab-quad/quadlet"
    assert (fleet / "config/systemd/user/anvil-lab-quad.target").is_file()


def test_up_starts_again_what_has_changed_since_it_started(fleet: Path) -> None:
    run("render", "lab")
    hours = {"chat": 1, "embed": -1}
    blocks = [
        f"Id=anvil-lab-quad-{name}.service\nActiveState=active\nInactiveExitTimestamp="
        + time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + 3600 * hour))
        for name, hour in hours.items()
    ]
    idle = "Id=anvil-lab-quad-writer.service\nActiveState=inactive\nInactiveExitTimestamp="
    (fleet / "said").write_text("\n\n".join([*blocks, idle]), "utf-8")

    run("up", "lab")

    assert calls(fleet)[1] == "systemctl --user restart --no-block anvil-lab-quad-embed.service"


def test_up_refuses_what_is_not_rendered(fleet: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        run("up", "lab")

    (found,) = caught.value.diagnostics
    assert found.code == "files-do-not-match-the-inventory"
    assert found.remedy.endswith("anvil-gen render hosts/lab.toml") or "render" in found.remedy
    assert not (fleet / "calls").exists()


def test_up_overwrites_nothing_of_others(fleet: Path) -> None:
    run("render", "lab")
    other = fleet / "config/containers/systemd/anvil-lab-quad"
    other.mkdir(parents=True)

    with pytest.raises(DiagnosticError) as caught:
        run("up", "lab")

    assert [found.code for found in caught.value.diagnostics] == ["something-is-in-the-way"]
    assert not (fleet / "calls").exists()


def test_down_stops_every_mode_or_some_tiers(fleet: Path) -> None:
    run("render", "lab")

    run("down", "lab", "chat")
    run("down", "lab")

    some, every = calls(fleet)
    assert some == "systemctl --user stop anvil-lab-quad-chat.service"
    assert {"anvil-lab-quad.target", "anvil-lab-quad-coding.target", "anvil-lab-quad-coder.service"} <= {*every.split()}


def test_status_and_logs(fleet: Path) -> None:
    run("status", "lab", "--mode", "coding")
    run("logs", "lab", "chat", "-f", "--tail", "5")

    status, logs = calls(fleet)
    assert status.split()[6:] == [
        f"anvil-lab-quad-{name}.service"
        for name in ("chat", "writer", "embed", "coder", "router-coding", "router-reload-coding")
    ]
    assert logs == "journalctl --user --no-pager --follow --lines=5 --unit=anvil-lab-quad-chat.service"


@pytest.mark.parametrize("words", [("restart", "lab"), ("doctor", "lab"), ("experiment", "status", "lab")])
def test_what_is_docker_composes_alone_says_so(fleet: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(DiagnosticError) as caught:
        run(*words)

    (found,) = caught.value.diagnostics
    assert found.code == "not-for-this-target"
    assert found.location is not None
    assert found.location.file.endswith("lab.toml")


def test_options_of_docker_compose_are_refused(fleet: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        run("up", "lab", "--pull")

    assert "--pull" in caught.value.diagnostics[0].detail


def test_an_unknown_target_has_its_line(fleet: Path) -> None:
    box = fleet / "hosts/lab.toml"
    box.write_text(box.read_text("utf-8").replace('"quadlet"', '"quadlets"'), "utf-8")

    with pytest.raises(DiagnosticError) as caught:
        run("render", "lab")

    (found,) = caught.value.diagnostics
    assert found.code == "unknown-target"
    assert found.location is not None
    assert "quadlets" in found.location.source


def test_a_tier_that_is_left_out_has_no_unit(fleet: Path) -> None:
    path = fleet / "hosts/lab.toml"
    path.write_text(
        path.read_text("utf-8").replace(
            '[quadlet]\nwithout = ["services"', '[quadlet]\nwithout = ["services", "modes", "tiers.writer"'
        ),
        "utf-8",
    )
    assert run("render", "lab").return_value == 0

    run("status", "lab")

    (line,) = calls(fleet)
    assert "anvil-lab-quad-embed.service" in line
    assert "writer" not in line
