"""A host as the operating verbs see it."""

from __future__ import annotations

import re
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeDocker
from msgspec.structs import replace

from anvil_gen import __version__
from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.digests import digest_of
from anvil_gen.operate.deployment import Deployment, delegate, open_deployment, services_of, staleness, tier_of

INVENTORY = """schema = 1
[defaults]
engine = "custom"
image = "busybox:1"
[tiers.fast]
port = 30001
service = "quick"
container_name = "speedy"
[tiers.heavy]
port = 30002
[tiers.night]
port = 30003
standby = true
[tiers.spare]
port = 30004
standby = true
[services.ui]
image = "ui:1"
[services.lamp]
image = "lamp:1"
standby = true
[modes.dark]
tiers = ["night"]
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a fleet of one host, and work in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "box.toml").write_text(INVENTORY, "utf-8")
    return tmp_path


def rendered(fleet: Path) -> Deployment:
    """Render the host, and open it again."""
    write_trees([generator().render(fleet / "hosts" / "box.toml")])
    return open_deployment("box", fleet)


def test_before_and_after_a_render(fleet: Path) -> None:
    first = open_deployment("box", fleet)
    diagnostic = staleness(first)

    assert first.unrendered
    assert diagnostic is not None
    assert (diagnostic.summary, diagnostic.severity) == ("nothing is rendered yet", "error")
    assert staleness(rendered(fleet)) is None


def test_a_file_that_has_gone_is_not_all_of_them(fleet: Path) -> None:
    (rendered(fleet).project.folder / "tiers" / "heavy.yml").unlink()
    diagnostic = staleness(open_deployment("box", fleet))

    assert diagnostic is not None
    assert (diagnostic.summary, diagnostic.detail) == (
        "files do not match the inventory",
        "missing: tiers/heavy.yml",
    )


@pytest.mark.parametrize(("then", "told"), [("", "render, and review:"), ("go on", "render, review, and go on:")])
def test_what_comes_after_a_render(then: str, told: str, fleet: Path) -> None:
    diagnostic = staleness(open_deployment("box", fleet), then=then)

    assert diagnostic is not None
    assert diagnostic.remedy.splitlines() == [told, "", "    anvil-gen render hosts/box.toml"]


def test_a_changed_inventory_is_named_by_its_files(fleet: Path) -> None:
    rendered(fleet)
    (fleet / "hosts" / "box.toml").write_text(INVENTORY.replace("30002", "30012"), "utf-8")
    diagnostic = staleness(open_deployment("box", fleet))

    assert diagnostic is not None
    assert (diagnostic.summary, diagnostic.severity) == ("files do not match the inventory", "error")
    assert diagnostic.detail.startswith("different: ")
    assert "tiers/heavy.yml" in diagnostic.detail
    assert "anvil-gen render" in diagnostic.remedy


def test_files_of_another_version_are_only_warned_of(fleet: Path) -> None:
    folder = rendered(fleet).host.output
    tier, state = folder / "tiers" / "heavy.yml", folder / ".anvil-gen" / "state.json"
    before = tier.read_text("utf-8")
    after = before.replace("busybox:1", "busybox:0")
    # As an older version would have left them.
    tier.write_text(after, "utf-8")
    known = state.read_text("utf-8").replace(f'"{__version__}"', '"0.0.1"').replace(digest_of(before), digest_of(after))
    (shipped,) = re.findall('"shipped": ?"([^"]+)"', known)
    state.write_text(known.replace(shipped, "0"), "utf-8")

    diagnostic = staleness(open_deployment("box", fleet))
    assert diagnostic is not None
    assert (diagnostic.summary, diagnostic.severity) == (
        "files were rendered by another version of anvil-gen",
        "warning",
    )


def test_services_by_tier_and_by_service(fleet: Path) -> None:
    deployment = rendered(fleet)
    default, dark = deployment.mode(None), deployment.mode("dark")

    assert services_of(deployment.stack, default) == {"fast": "quick", "heavy": "heavy", "ui": "ui"}
    assert deployment.services(default, ["quick", "fast", "ui"]) == ["quick", "ui"]
    assert deployment.services(dark, []) == ["night", "ui"]
    assert deployment.mode("default") is default
    assert deployment.container_names[:2] == ["speedy", "heavy"]
    assert (tier_of(deployment.stack, "quick"), tier_of(deployment.stack, "ui")) == (deployment.stack.tiers[0], None)


@pytest.mark.parametrize(
    ("mode", "name", "summary", "remedy"),
    [
        (None, "fsat", "unknown tier", 'did you mean "fast"?'),
        (None, "night", "not in this mode", "anvil-gen up box night --mode dark"),
        ("dark", "heavy", "not in this mode", "anvil-gen up box heavy --mode default"),
        (None, "spare", "not in any mode", '"tiers" of a mode'),
        (None, "lamp", "not in any mode", '"services" of a mode'),
    ],
)
def test_a_name_that_the_mode_does_not_have(
    mode: str | None, name: str, summary: str, remedy: str, fleet: Path
) -> None:
    deployment = open_deployment("box", fleet)

    with pytest.raises(DiagnosticError) as caught:
        deployment.services(deployment.mode(mode), [name])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.summary == summary
    assert remedy in diagnostic.remedy


def test_an_unknown_mode_names_those_there_are(fleet: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        open_deployment("box", fleet).mode("drak")
    (diagnostic,) = caught.value.diagnostics
    assert "dark, default" in diagnostic.detail
    assert diagnostic.remedy == 'did you mean "dark"?'


def test_a_path_finds_the_same_host(fleet: Path) -> None:
    by_path, by_name = open_deployment("hosts/box.toml", fleet).project, open_deployment("box", fleet).project

    assert (by_path.name, by_path.folder) == (by_name.name, by_name.folder)


class Failing(FakeDocker):
    """An engine on which each command fails that is to be shown."""

    def run_interactive(self, *_arguments: str, **_options: Any) -> int:
        """Fail."""
        return 125


def test_without_compose_that_is_the_fault(fleet: Path) -> None:
    deployment = rendered(fleet)
    there = {"version": "28.2.2", "": "docker: unknown command: docker compose"}
    having, lacking = copy(deployment), copy(deployment)
    having.project = replace(deployment.project, docker=Failing({**there, "compose version": "2.40.0"}))
    lacking.project = replace(deployment.project, docker=Failing(there))

    assert delegate(having, ["restart"], [], None) == 125
    with pytest.raises(DiagnosticError) as caught:
        delegate(lacking, ["restart"], [], None)
    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["Docker Compose is missing"]
