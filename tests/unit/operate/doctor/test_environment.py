"""Docker, the platform, the rendered files and their variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import INFO, NO_DAEMON, engine, subject, told
from running import anvil_gen

from anvil_gen.operate.doctor.environment import (
    check_architecture,
    check_docker,
    check_platform,
    check_remote,
    check_tree,
    check_variables,
)

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
volume = "hub"
token_env = "HF_TOKEN"
[tiers.fast]
engine = "vllm"
port = 30001
model = { repo = "org/name" }
[services.ui]
image = { env = "UI_IMAGE" }
[router]
kind = "anvil"
api_key_env = "ROUTER_KEY"
"""
HERE = ", Debian GNU/Linux 12, on this host"
OLD = json.dumps({"Client": {"Version": "19.03.15"}, "Server": {"Version": "19.03.15"}})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            engine(),
            [("pass", "docker", "28.2.2"), ("pass", "compose", "2.40.0"), ("pass", "daemon", f"28.2.2{HERE}")],
        ),
        (
            engine(version=OLD, compose_version="2.19.1"),
            [
                ("fail", "docker", "Docker is too old"),
                ("fail", "compose", "Docker Compose is too old"),
                ("pass", "daemon", f"19.03.15{HERE}"),
            ],
        ),
        (
            {"version": json.dumps({"Client": {"Version": "28.2.2"}}), "": NO_DAEMON},
            [
                ("pass", "docker", "28.2.2"),
                ("fail", "compose", "Docker Compose is missing"),
                ("fail", "daemon", "Docker does not answer"),
            ],
        ),
        ({"": NO_DAEMON}, [("fail", "docker", "Docker does not answer")]),
    ],
)
def test_docker(answers: dict[str, str], expected: list[object], tmp_path: Path) -> None:
    assert told(check_docker(subject(tmp_path, INVENTORY, answers))) == expected


@pytest.mark.parametrize(
    ("stated", "kernel", "verdict"),
    [
        ("linux", "6.1.0-28-amd64", "pass"),
        ("wsl2", "5.15.167.4-microsoft-standard-WSL2", "pass"),
        ("linux", "5.15.167.4-microsoft-standard-WSL2", "fail"),
        ("wsl2", "6.1.0-28-amd64", "fail"),
    ],
)
def test_the_platform(stated: str, kernel: str, verdict: str, tmp_path: Path) -> None:
    text = INVENTORY.replace("[paths]", f'[host]\nplatform = "{stated}"\n[paths]')
    host = subject(tmp_path, text, engine(info=json.dumps({**INFO, "KernelVersion": kernel})))
    (check,) = check_platform(host)

    assert check.verdict == verdict
    assert check.diagnostic is None or check.diagnostic.address == "host.platform"


@pytest.mark.parametrize(
    ("stated", "real", "summaries"),
    [
        ("amd64", "x86_64", []),
        ("arm64", "aarch64", []),
        ("amd64", "aarch64", ["architecture differs from the inventory"]),
        ("arm64", "x86_64", ["architecture differs from the inventory"]),
        ("arm64", "", []),
    ],
)
def test_the_processor(stated: str, real: str, summaries: list[str], tmp_path: Path) -> None:
    text = INVENTORY.replace("[paths]", f'[host]\narchitecture = "{stated}"\n[paths]')
    host = subject(tmp_path, text, engine(info=json.dumps({**INFO, "Architecture": real})))
    found = [check.diagnostic for check in check_architecture(host) if check.diagnostic is not None]

    assert [(one.summary, one.address) for one in found] == [(summary, "host.architecture") for summary in summaries]


def test_a_platform_that_nobody_tells(tmp_path: Path) -> None:
    assert [verdict for verdict, _, _ in told(check_platform(subject(tmp_path, INVENTORY, system="darwin")))] == [
        "pass"
    ]


def test_the_files(tmp_path: Path) -> None:
    assert told(check_tree(subject(tmp_path, INVENTORY))) == [("fail", "files", "nothing is rendered yet")]
    anvil_gen("render", "box", cwd=tmp_path)
    assert [verdict for verdict, _, _ in told(check_tree(subject(tmp_path, INVENTORY)))] == ["pass"]
    ((verdict, _, outcome),) = told(check_tree(subject(tmp_path, INVENTORY.replace("30001", "30009"))))
    assert (verdict, outcome) == ("fail", "files do not match the inventory")


def test_variables(tmp_path: Path) -> None:
    assert sorted(told(check_variables(subject(tmp_path, INVENTORY, shell={"HF_TOKEN": "x"})))) == [
        ("fail", "variable ROUTER_KEY", "variable is not set"),
        ("fail", "variable UI_IMAGE", "variable is not set"),
        ("pass", "variable HF_TOKEN", "set"),
    ]


def test_how_a_variable_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remedies = {
        check.what: check.diagnostic.remedy
        for check in check_variables(subject(tmp_path, INVENTORY))
        if check.diagnostic
    }

    copy = "cp deploy/box/.env.example deploy/box/.env"
    assert remedies["variable HF_TOKEN"].endswith(f"\n    {copy}\n    ${{EDITOR:-vi}} deploy/box/.env")
    key = 'echo "ROUTER_KEY=$(openssl rand -hex 32)" >> deploy/box/.env'
    assert remedies["variable ROUTER_KEY"].endswith(f"\n    {copy}\n    {key}")

    (tmp_path / "deploy/box").mkdir(parents=True)
    (tmp_path / "deploy/box/.env").write_text("HF_TOKEN=x\n")
    again = {check.what: check.diagnostic for check in check_variables(subject(tmp_path, INVENTORY))}
    assert again["variable HF_TOKEN"] is None
    assert again["variable ROUTER_KEY"] is not None
    assert "cp " not in again["variable ROUTER_KEY"].remedy


def test_an_engine_that_cannot_mount_what_is_rendered(tmp_path: Path) -> None:
    far = subject(tmp_path, INVENTORY, engine(), at="ssh://me@box")
    (check,) = check_remote(far)

    assert check.diagnostic is not None
    assert check.diagnostic.summary == "generated files cannot be mounted on another machine"
    assert told(check_remote(subject(tmp_path, INVENTORY, engine()))) == []
