"""What a person or a program reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anvil_gen.cli.views.changes import texts_of
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.deploy.compose_diff import Action, Cause, Change
from anvil_gen.diagnostics import Diagnostic, Location


@pytest.mark.parametrize(
    ("address", "before", "after", "expected"),
    [
        ("command/--max-model-len", "65536", "32768", "--max-model-len 65536 -> 32768"),
        ("command/--enable-metrics", None, True, "--enable-metrics added"),
        ("command/--enable-metrics", True, None, "--enable-metrics removed"),
        ("command/--seed", None, "1", "--seed 1 added"),
        ("command/--seed", True, "1", "--seed (none) -> 1"),
        ("init", True, False, "init true -> false"),
        ("environment/A", "1", "2", "environment.A 1 -> 2"),
        ("volumes//t", "/a (read-only)", "/b", "mount /t: /a (read-only) -> /b"),
        ("environment/A_TOKEN", "1", "2", "environment.A_TOKEN changed"),
        ("command/--api-key", None, "2", "--api-key added"),
        ("labels/x.secret.y", "1", None, "labels.x.secret.y removed"),
        ("command/--max-tokens", "1", "2", "--max-tokens 1 -> 2"),
        ("image", "a\x1b[31m\n", "b", "image a\\u001b[31m\\n -> b"),
        ("healthcheck/test/3", "x" * 80 + "1", "x" * 80 + "2", "healthcheck.test.3 changed"),
        ("command/--template", None, "x" * 80, f"--template {'x' * 71}… added"),
    ],
)
def test_a_change_in_a_line(address: str, before: Any, after: Any, expected: str) -> None:
    action = Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE
    path = ("services", "fast", *address.split("/", 1 if address.startswith("volumes") else -1))

    texts = texts_of([Change(action=action, project="p", address=path, before=before, after=after)])
    assert list(texts) == [(expected, None)]


@pytest.mark.parametrize(
    ("action", "address", "reason", "expected"),
    [
        (Action.CREATE, ("services", "fast"), "", ["new service"]),
        (Action.DELETE, ("services", "fast"), "", ["removed"]),
        (Action.UPDATE, ("services", "fast", "labels", "x"), "x.toml changed", ["x.toml changed"]),
        (Action.CREATE, ("volumes", "cache"), "", []),
    ],
)
def test_a_whole_service_in_a_line(action: Action, address: tuple[str, ...], reason: str, expected: list[str]) -> None:
    texts = texts_of([Change(action=action, project="p", address=address, reason=reason)])
    assert [text for text, _ in texts] == expected


def test_a_default_that_is_the_value_itself_is_told_once() -> None:
    cause = Cause(file="engine.toml", line=5, key="image", before="a:1", after="a:2", is_elsewhere=True)
    address = ("services", "fast", "image")
    change = Change(action=Action.UPDATE, project="p", address=address, before="a:1", after="a:2", cause=cause)

    assert [text for text, _ in texts_of([change])] == ["image a:1 -> a:2"]


@pytest.mark.parametrize(
    ("diagnostic", "expected"),
    [
        (Diagnostic(code="unknown-tier"), "error: unknown tier\n"),
        (
            Diagnostic(
                code="unknown-tier",
                detail="why\n\n+x",
                remedy="do",
                address="tiers.fast.port",
                location=Location(file="a.toml", line=12, column=3, length=2, source="a bc\td"),
                severity="warning",
            ),
            "warning: unknown tier\n  --> a.toml:12:3  tiers.fast.port\n"
            "  12 | a bc d\n     |   ^^\n  why\n\n  +x\n  do\n",
        ),
        (
            Diagnostic(
                code="unknown-tier", location=Location(file="a", line=1, column=101, length=9, source="x" * 400)
            ),
            f"error: unknown tier\n  --> a:1:101\n  1 | {'x' * 120}\n    | {' ' * 60}{'^' * 9}\n",
        ),
    ],
)
def test_a_diagnostic(diagnostic: Diagnostic, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_diagnostics([diagnostic], as_json=False)

    assert capsys.readouterr() == ("", f"{expected}\n")


def test_several_errors_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    error, warning = Diagnostic(code="no-tiers"), Diagnostic(code="unknown-tier", severity="warning")
    show_diagnostics([error, warning, error], as_json=False)

    assert capsys.readouterr().err == "error: no tiers\n\nwarning: unknown tier\n\nerror: no tiers\n\n2 errors\n"


def test_errors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostic = Diagnostic(code="unknown-tier", detail="\udcff é", location=Location(file="a.toml", line=1))
    show_diagnostics([diagnostic], as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "hosts": [],
        "diagnostics": [
            {
                "severity": "error",
                "code": "unknown-tier",
                "summary": "unknown tier",
                "detail": "\udcff é",
                "remedy": "",
                "address": "",
                "file": "a.toml",
                "line": 1,
                "column": None,
            }
        ],
    }


def test_warnings_alone_are_part_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    show_diagnostics([Diagnostic(code="unknown-tier", severity="warning")], as_json=True)

    assert capsys.readouterr() == ("", "")
