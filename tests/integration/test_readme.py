"""What the README shows is what happens: its inventory, its Compose, its diff, its output and its error."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from e2e.first_run import commands
from places import REPOSITORY

README = (REPOSITORY / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block(language: str, containing: str) -> str:
    """Return the one code block of a language that holds a text."""
    found: str
    (found,) = [text for kind, text in BLOCKS if kind == language and containing in text]
    return found


def anvil_gen(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder."""
    command = [sys.executable, "-m", "anvil_gen", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def significant(text: str) -> list[str]:
    """Return the lines of a TOML or YAML text that are neither blank nor a comment."""
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet with the README's inventory, rendered."""
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "box.toml").write_text(block("toml", "[tiers.fast]"), "utf-8")
    done = anvil_gen(tmp_path, "render", "box")
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path


def test_the_shown_files_are_those_that_are_made(fleet: Path) -> None:
    shown = re.findall(r"^  (\S+)", block("", "deploy/box/\n"), re.MULTILINE)
    made = {
        path.relative_to(fleet / "deploy" / "box").as_posix()
        for path in (fleet / "deploy" / "box").rglob("*")
        if path.is_file() and ".anvil-gen" not in path.parts
    }

    covered = {
        file for file in made for name in shown if file == name or (name.endswith("/") and file.startswith(name))
    }
    assert covered == made
    assert all(any(file == name or file.startswith(name) for file in made) for name in shown)


def test_the_shown_compose_is_rendered(fleet: Path) -> None:
    shown = block("yaml", "  fast:").splitlines()
    lines = [line for line in shown if line.strip() != "# ..."]
    rendered = iter((fleet / "deploy" / "box" / "tiers" / "fast.yml").read_text("utf-8").splitlines())

    assert [line for line in lines if line not in rendered] == []  # each is looked for after the one before
    assert len(lines) == 14
    assert len(significant(block("toml", "[tiers.fast]"))) == 14


def test_the_shown_change_makes_the_shown_diff_and_output(fleet: Path) -> None:
    inventory, tier = fleet / "hosts" / "box.toml", fleet / "deploy" / "box" / "tiers" / "fast.yml"
    (changed,) = re.findall(r"Change the inventory to `(.+?)`", README)
    text, before = inventory.read_text("utf-8"), tier.read_text("utf-8")
    inventory.write_text(re.sub(rf"^{changed.split()[0]} = .*$", changed, text, flags=re.MULTILINE), "utf-8")

    checked = anvil_gen(fleet, "render", "--check", "box")
    assert checked.returncode == 2
    assert len([line for line in checked.stdout.splitlines() if re.match(r"[-+](?![-+])", line)]) == 2

    command, *output = block("console", "$ anvil-gen").splitlines()
    assert anvil_gen(fleet, *command.split()[2:]).stdout.splitlines() == output
    path, after = tier.relative_to(fleet).as_posix(), tier.read_text("utf-8")
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", n=1, lineterm="")
    assert [*diff] == block("diff", "tiers/fast.yml").splitlines()


def test_the_shown_error_is_the_error(tmp_path: Path) -> None:
    shown = block("", "error: unknown GPU").splitlines()
    text = (REPOSITORY / "hosts" / "fakoli-dark.toml").read_text("utf-8")
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "fakoli-dark.toml").write_text(
        text.replace('gpus = ["rtx5090"]', 'gpus = ["rtx5091"]'), "utf-8"
    )
    done = anvil_gen(tmp_path, "render", "hosts/fakoli-dark.toml")

    assert done.returncode == 1
    assert done.stderr.splitlines()[: len(shown)] == shown


BY_HAND = (REPOSITORY / "docs" / "by-hand.md").read_text("utf-8")
COMPOSE_BY_HAND = BY_HAND.partition("```yaml\n")[2].partition("```")[0]
REFERENCE = REPOSITORY / "examples" / "fakoli-dark"


def test_the_file_by_hand_says_what_is_rendered() -> None:
    by_hand = yaml.safe_load(COMPOSE_BY_HAND)["services"]
    for tier in ("heavy", "fast"):
        file = REFERENCE / "tiers" / f"{tier}.yml"
        ((name, rendered),) = yaml.safe_load(file.read_text("utf-8"))["services"].items()
        written = by_hand.pop(name)
        mount, device = rendered["volumes"][0], written["deploy"]["resources"]["reservations"]["devices"]
        assert written.pop("command").split() == rendered["command"]
        assert written.pop("volumes") == [f"{mount['source']}:{mount['target']}:ro"]
        assert device == rendered["deploy"]["resources"]["reservations"]["devices"]
        assert {**rendered, **written, "healthcheck": {**rendered["healthcheck"], **written["healthcheck"]}} == rendered

    assert by_hand == {}


def test_the_lines_of_both_are_counted() -> None:
    inventory = (REPOSITORY / "hosts" / "fakoli-dark.toml").read_text("utf-8")
    tables = re.split(r"^(?=\[)", inventory, flags=re.MULTILINE)
    beside = ("[router]", "[experiment]", "[hfcache]", "[kubernetes]")
    tiers = "".join(table for table in tables if not table.startswith(beside))
    by_hand = significant(COMPOSE_BY_HAND)
    unchecked = [line for line in by_hand if not re.match(r" +(healthcheck|test|interval|timeout|start_period):", line)]
    rendered = [path for path in REFERENCE.rglob("*") if path.is_file() and path.suffix != ".md"]
    rendered = [path for path in rendered if not {".anvil-gen", "kubernetes"} & {*path.parts}]
    texts = (inventory, *(path.read_text("utf-8") for path in rendered))
    whole, *files = (len(significant(text)) for text in texts)
    counted = [len(by_hand), len(unchecked), len(significant(tiers)), whole, sum(files)]

    assert [int(figure) for figure in re.findall(r"^\|.*\| (\d+) \|$", BY_HAND, re.MULTILINE)] == counted
    in_readme = re.search(r"take (\d+) lines of it.*?takes (\d+), or (\d+) without", README, re.DOTALL)
    assert in_readme is not None
    assert [int(figure) for figure in in_readme.groups()] == [counted[2], counted[0], counted[1]]


PAGES = [
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md", "templates/**/*.md")
    for page in sorted(REPOSITORY.glob(pattern))
]


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page get: in lower case, without punctuation, spaces as dashes."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text("utf-8")):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(f"{path}#{anchor}" if anchor else path)

    assert missing == []


def test_every_page_is_in_the_list_of_the_readme() -> None:
    listed = README.partition("## Documentation")[2]

    assert [
        page.name for page in sorted((REPOSITORY / "docs").glob("*.md")) if f"(docs/{page.name})" not in listed
    ] == []


def test_the_first_run_is_what_the_first_chapter_says() -> None:
    page = (REPOSITORY / "docs" / "first-run.md").read_text("utf-8")
    ran = re.findall(r"^\$ (.*)$", page, re.MULTILINE)

    assert ran[:-1] == commands()
    assert ran[-1].startswith("curl ")


def test_both_commands_are_there() -> None:
    commands = [text.strip() for kind, text in BLOCKS if kind == "sh"]

    assert commands == ["scripts/render hosts/fakoli-dark.toml", "scripts/test"]
    assert "\nscripts/test\n" in (REPOSITORY / ".ci" / "run").read_text("utf-8")
