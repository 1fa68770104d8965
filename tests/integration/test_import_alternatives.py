"""The import of services that stand for each other: what runs by default, and in which modes the others do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_cli import LOCAL_BINARY
from importing import Importing
from places import REPOSITORY

VLLM = "image: vllm/vllm-openai:v0.11.2, ports: ['8000:8000'], command: --model org"


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importing:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")
    return Importing(tmp_path)


def source(name: str) -> str:
    (file,) = (REPOSITORY / "tests" / "imports").glob(f"{name}-*.yml")
    return file.read_text("utf-8")


def standby_of(data: dict[str, Any]) -> set[str]:
    tables = {**data["tiers"], **data.get("services", {})}
    return {name for name, table in tables.items() if table.get("standby")}


def test_what_waits_for_one_of_two_servers_runs_in_its_mode(importing: Importing) -> None:
    data = tomllib.loads(importing.proved(source("43")))

    assert standby_of(data) == {"vllm-small", "search-simple", "code-page", "tunnel"}
    assert data["modes"] == {
        "vllm-small": {"tiers": ["vllm-small"], "services": ["search", "code-page", "tunnel"]},
        "search-simple": {"tiers": ["vllm-large"], "services": ["search-simple"]},
    }


def test_profiles_that_exclude_each_other_share_a_gpu_in_turn(importing: Importing) -> None:
    data = tomllib.loads(importing.proved(source("44")))

    assert {name: tier["engine"] for name, tier in data["tiers"].items()} == {
        "serin-chat": "vllm",
        "serin-code": "sglang",
        "embed": "tei",
    }
    assert "modes" not in data
    assert not any("override" in tier for tier in data["tiers"].values())


def test_an_alternative_with_a_profile_is_apart_from_what_runs_by_default(importing: Importing) -> None:
    services = f"{{gpu: {{{VLLM}/a, profiles: [gpu]}}, usual: {{{VLLM}/b}}, ui: {{image: 'x:1', depends_on: [usual]}}}}"
    data = tomllib.loads(importing.proved(f"services: {services}"))

    assert standby_of(data) == {"gpu"}
    assert data["modes"] == {"gpu": {"tiers": ["gpu"], "services": []}}


def test_what_waits_for_both_of_two_that_exclude_each_other_is_residue(importing: Importing) -> None:
    services = f"{{a: {{{VLLM}/a}}, b: {{{VLLM}/b}}, ui: {{image: 'x:1', depends_on: [a, b]}}}}"
    imported = importing.run(f"services: {services}").imported

    assert {one.path for one in imported.residue or ()} == {("services", "ui")}


def test_a_service_of_no_container_claims_nothing(importing: Importing) -> None:
    data = tomllib.loads(importing.proved(source("45")))

    assert "modes" not in data
    assert data["services"]["page"]["environment"][:2] == [
        "PAGE_TITLE",
        {"interpolate": "PAGE_HOME=${PAGE_HOME:-/}"},
    ]
