"""A fleet of one host: its name may be left out, and a shell completes what the inventory has."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from running import INVENTORY, SECOND_TIER, anvil_gen, fleet

from anvil_gen.cli.main import cli

MODES = '\n[modes.coding]\ntiers = ["heavy"]\n[gpus.rtx]\nuuid = "GPU-11111111-1111-1111-1111-111111111111"\n'
BOX = INVENTORY + SECOND_TIER + MODES


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet of one host, as the working folder."""
    monkeypatch.chdir(tmp_path)
    return fleet(tmp_path, box=BOX)


def completed(line: str) -> list[str]:
    *words, incomplete = line.split(" ")
    found = ShellComplete(cli, {}, "anvil-gen", "_ANVIL_GEN_COMPLETE").get_completions(words, incomplete)
    return [item.value if item.type == "plain" else item.type for item in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("up box ", ["fast", "heavy"]),
        ("up box f", ["fast"]),
        ("logs box fast ", ["heavy"]),
        ("restart box --mode ", ["coding", "default"]),
        ("status box --mode c", ["coding"]),
        ("experiment up box org/name --gpu ", ["rtx"]),
        ("client box op", ["openai", "opencode"]),
        # The host may be left out.
        ("up ", ["box", "fast", "heavy"]),
        ("status ", ["box"]),
        ("client cont", ["continue"]),
    ],
)
def test_what_a_shell_completes(home: Path, line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_a_broken_inventory_completes_nothing(home: Path) -> None:
    fleet(home, box="schema = 1\ntiers = 3\n")

    assert completed("up box ") == []


@pytest.mark.parametrize("verb", ["render", "plan"])
def test_the_only_host_is_meant_where_none_is_named(home: Path, verb: str) -> None:
    named, alone = anvil_gen(verb, "box", cwd=home), anvil_gen(verb, cwd=home)

    assert named.code in (0, 2)
    assert alone.stderr == named.stderr == ""
    assert "box" in alone.stdout


def test_a_verb_of_one_host_needs_no_name(home: Path) -> None:
    assert anvil_gen("client", cwd=home) == anvil_gen("client", "box", cwd=home)
    assert anvil_gen("client", "curl", cwd=home) == anvil_gen("client", "box", "curl", cwd=home)
    assert "is neither a tier nor a service of box" in anvil_gen("logs", "nothing", cwd=home).stderr


def test_one_of_several_hosts_has_to_be_named(home: Path) -> None:
    fleet(home, box=BOX, other=BOX)

    assert anvil_gen("render", cwd=home)[:2] == (1, "")
    assert "name a HOST: hosts/ has box, other" in anvil_gen("client", cwd=home).stderr
    assert 'did you mean "other"?' in anvil_gen("client", "othr", "curl", cwd=home).stderr
