"""A group on the command line: what is rendered, planned and explained of it, and that real Compose takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_cli import compose_config
from group_fleets import edit, repository
from places import REPOSITORY
from running import anvil_gen


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """The pair, rendered and committed."""
    return repository(tmp_path)


@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_a_plan_names_both_ranks_and_the_line_of_the_group(fleet: Path, against: str) -> None:
    edit(fleet / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")

    found = anvil_gen("plan", "--all", "--against", against, cwd=fleet)

    away = "  ~ big  recreate (away until its new container is ready"
    said = "      context_length 32768 -> 65536 (--max-model-len)  groups/sparks.toml:9\n"
    assert (found.code, found.stderr) == (2, "")
    assert found.stdout == f"spark-a\n{away}; start: up to 15m)\n{said}spark-b\n{away})\n{said}"


def test_a_link_that_changes_on_one_host_is_planned_on_both(fleet: Path) -> None:
    edit(fleet / "hosts/spark-b.toml", "enp1s0f0np0", "enp1s0f1np1")

    found = anvil_gen("plan", "--all", "--against", "HEAD", cwd=fleet)

    assert found.code == 2
    first, second = found.stdout.split("spark-b\n")
    assert "~ big  recreate" in first
    assert "hosts/spark-b.toml" in first
    assert "~ big  recreate" in second


def test_a_tree_is_stale_when_its_group_has_changed(fleet: Path) -> None:
    assert anvil_gen("render", "--all", "--check", cwd=fleet).code == 0
    edit(fleet / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")

    found = anvil_gen("render", "--all", "--check", cwd=fleet)

    assert found.code == 2
    assert found.stdout.count("--max-model-len=65536") == 2


def test_explain_tells_the_line_of_the_group_and_that_of_the_other_host(fleet: Path) -> None:
    written = anvil_gen("explain", "spark-b", "big.context_length", cwd=fleet)
    assert written.code == 0, written.stderr
    assert "groups/sparks.toml:9" in written.stdout
    lines = (fleet / "deploy/spark-b/tiers/big.yml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "--master-addr" in text)
    rendered = anvil_gen("explain", "spark-b", f"tiers/big.yml:{line}", cwd=fleet)
    assert "hosts/spark-a.toml:10" in rendered.stdout


@pytest.mark.parametrize("host", ["spark-a", "spark-b"])
def test_compose_takes_the_example(host: str) -> None:
    service = compose_config(REPOSITORY / "examples" / host)["services"]["big"]

    assert service["network_mode"] == "host"
    assert service["labels"]["anvil-gen.group"].startswith("sparks ")
