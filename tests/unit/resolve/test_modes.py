"""Modes: what runs together, by which root file and routes, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

HEAD = """
schema = 1
[gpus.card]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
[tiers.day]
engine = "vllm"
model = { path = "/m/day" }
gpus = ["card"]
port = 9000
[tiers.small]
engine = "vllm"
model = { path = "/m/small" }
port = 9001
[tiers.night]
engine = "vllm"
model = { path = "/m/night" }
gpus = ["card"]
port = 9000
standby = true
[router]
kind = "anvil"
"""


def files_of(text: str, folder: Path) -> dict[str, str]:
    """Render an inventory."""
    (folder / "box.toml").write_text(text, "utf-8")
    return dict(Generator().render(folder / "box.toml").tree.files)


def included(files: dict[str, str], root: str) -> list[str]:
    """Return what a root file includes."""
    found: list[str] = yaml.safe_load(files[root])["include"]
    return found


def test_standby_tiers_run_only_where_they_are_named(tmp_path: Path) -> None:
    files = files_of(HEAD + '[modes.late]\ntiers = ["night", "small"]\n', tmp_path)

    assert included(files, "docker-compose.yml") == ["tiers/day.yml", "tiers/small.yml", "router/compose.yml"]
    assert included(files, "docker-compose.late.yml") == [
        "tiers/small.yml",
        "tiers/night.yml",
        "router/compose.late.yml",
    ]


def test_tiers_that_never_run_together_may_have_one_container_name(tmp_path: Path) -> None:
    named = HEAD.replace("port = 9000", 'port = 9000\ncontainer_name = "same"')
    files = files_of(named + '[modes.late]\ntiers = ["night"]\n', tmp_path)

    names = [
        yaml.safe_load(files[f"tiers/{tier}.yml"])["services"][tier]["container_name"] for tier in ("day", "night")
    ]
    assert names == ["same", "same"]


def test_a_mode_has_its_own_routes(tmp_path: Path) -> None:
    mode = '[router.aliases]\nmain = "day"\n[modes.late]\ntiers = ["night"]\naliases.main = "night"\n'
    files = files_of(HEAD + mode, tmp_path)

    assert '"main" = "day"\n' in files["router/router.toml"]
    assert '"main" = "night"\n' in files["router/router.late.toml"]
    assert '"day"' not in files["router/router.late.toml"]
    service = yaml.safe_load(files["router/compose.late.yml"])["services"]["router"]
    assert service["volumes"][0]["source"] == "./router.late.toml"
    assert service["build"] == {"context": "./build"}


def test_a_mode_with_the_same_routes_shares_the_router(tmp_path: Path) -> None:
    files = files_of(HEAD + '[modes.same]\ntiers = ["small", "day"]\n', tmp_path)

    assert included(files, "docker-compose.same.yml") == included(files, "docker-compose.yml")
    assert "router/compose.same.yml" not in files


def test_further_services_run_in_every_mode(tmp_path: Path) -> None:
    extra = '[services.ui]\nimage = "x:1"\n[modes.late]\ntiers = ["night"]\n'
    files = files_of(HEAD + extra, tmp_path)

    assert "services/ui.yml" in included(files, "docker-compose.yml")
    assert "services/ui.yml" in included(files, "docker-compose.late.yml")


def test_a_mode_may_name_the_further_services_that_run_in_it(tmp_path: Path) -> None:
    extra = '[services.ui]\nimage = "x:1"\ndepends_on = ["small"]\n[services.lamp]\nimage = "x:1"\nstandby = true\n'
    files = files_of(HEAD + extra + '[modes.late]\ntiers = ["night"]\nservices = ["lamp"]\n', tmp_path)

    assert [path for path in included(files, "docker-compose.yml") if "services" in path] == ["services/ui.yml"]
    assert [path for path in included(files, "docker-compose.late.yml") if "services" in path] == ["services/lamp.yml"]
    assert "standby" not in files["services/lamp.yml"]


def test_services_of_two_modes_may_have_one_port(tmp_path: Path) -> None:
    one, two = (f'[services.{name}]\nimage = "x:1"\nports = ["80:80"]\n' for name in ("one", "two"))
    files = files_of(f'{HEAD}{one}{two}standby = true\n[modes.late]\ntiers = ["day"]\nservices = ["two"]\n', tmp_path)

    assert "services/two.yml" not in included(files, "docker-compose.yml")


def test_a_mode_of_services_alone_has_no_router(tmp_path: Path) -> None:
    files = files_of(HEAD + '[services.ui]\nimage = "x:1"\n[modes.still]\ntiers = []\nservices = ["ui"]\n', tmp_path)

    assert included(files, "docker-compose.still.yml") == ["services/ui.yml"]


def test_the_manifest_names_the_root_that_runs_a_tier(tmp_path: Path) -> None:
    text = HEAD.replace("schema = 1\n", 'schema = 1\nhost.project = "anvil-box"\n')
    files = files_of(text + '[modes.late]\ntiers = ["night"]\n', tmp_path)

    assert 'up = "docker compose -f {dir}/docker-compose.yml up -d day"' in files["serves.toml"]
    assert 'up = "docker compose -f {dir}/docker-compose.late.yml up -d night"' in files["serves.toml"]


FAULTS: list[tuple[str, list[Fault]]] = [
    (
        '[modes.late]\ntiers = ["night", ▸"nihgt"]\n',
        [("unknown tier", "modes.late.tiers[1]", 'did you mean "night"?')],
    ),
    (
        '[modes.late]\ntiers = ["night", ▸"night"]\n',
        [("tier named twice", "modes.late.tiers[1]", "name each tier once")],
    ),
    (
        '[modes.late]\ntiers = ["night"]\naliases.x = ▸"day"\n',
        [("alias to a missing tier", "modes.late.aliases.x", "add the tier to the mode")],
    ),
    (
        '[▸modes.experiment]\ntiers = ["night"]\n',
        [("name that is not allowed", "modes.experiment", "write another name")],
    ),
    ("[▸modes.late]\n", [("missing key", "modes.late", "The tiers that run")]),
    ("[modes.late]\ntiers = ▸[]\n", [("no tiers", "modes.late.tiers", "name a tier")]),
    (
        '[services.panel]\nimage = "x:1"\n[modes.late]\ntiers = ["night"]\nservices = ["panel", ▸"panle"]\n',
        [("unknown service", "modes.late.services[1]", 'did you mean "panel"?')],
    ),
    (
        '[services.ui]\nimage = "x:1"\n[modes.late]\ntiers = ["night"]\nservices = ["ui", ▸"ui"]\n',
        [("service named twice", "modes.late.services[1]", "name each service once")],
    ),
    (
        '[services.ui]\nimage = "x:1"\nstandby = ▸"yes"\n',
        [("wrong type", "services.ui.standby", "write standby = true")],
    ),
    (
        '[services.ui]\nimage = "x:1"\ndepends_on = [▸"day"]\n[modes.late]\ntiers = ["night"]\n',
        [("not in this mode", "services.ui.depends_on[0]", 'leave "ui" out of "services" in [modes.late]')],
    ),
    (
        '[modes.both]\ntiers = ["day", "night"]\n',
        [
            ("GPU shared without shares", "tiers.day", "gpu_memory_utilization"),
            ("port taken twice", "tiers.night.port", "9002"),
            ("GPU shared without shares", "tiers.night", "gpu_memory_utilization"),
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_fault_of_a_mode(text: str, expected: list[Fault], tmp_path: Path) -> None:
    if "▸" not in text:
        marked = HEAD.replace("[tiers.day]", "[▸tiers.day]").replace("[tiers.night]", "[▸tiers.night]")
        night = marked.index("[▸tiers.night]")
        text = marked[:night] + marked[night:].replace("port = 9000", "port = ▸9000") + text
    else:
        text = HEAD + text
    found, wanted = compared(text.lstrip("\n"), sorted_by_place(text, expected), tmp_path)

    assert found == wanted


def sorted_by_place(text: str, expected: list[Fault]) -> list[Fault]:
    """Return faults in the order of their marks."""
    return expected if len(expected) == 1 else [expected[0], expected[2], expected[1]]
