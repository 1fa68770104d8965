"""A repository that somebody else made: whatever lies in its deploy tree, no verb touches anything outside of that."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from running import EXPERIMENT, INVENTORY, ROUTER, commit_all, fleet

from anvil_gen.cli.main import cli
from anvil_gen.deploy.contained_folder import temporary_name
from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.digests import digest_of
from anvil_gen.machine.dotenv import variables

HEADER = "# Made by anvil-gen from hosts/box.toml. Edit that file, then run:\n"
FILES = '[tiers.fast.files]\n"/templates/a.jinja" = "a.jinja"\n'
OLD = INVENTORY + ROUTER + EXPERIMENT
NEW = INVENTORY.replace("65536", "32768") + FILES + EXPERIMENT

WRITING = [["render", "box"], ["render", "box", "--force"]]
READING = [
    ["render", "box", "--check"],
    ["render", "box", "--stdout"],
    ["up", "box"],
    ["down", "box"],
    ["restart", "box"],
    ["logs", "box"],
    ["status", "box"],
    ["doctor", "box"],
    ["experiment", "up", "box", "a/b"],
    ["experiment", "status", "box"],
    ["experiment", "promote", "box", "x"],
]

Attack = Callable[[Path], None]
"""Changes a deploy tree; a folder ``keep`` is two folders above it."""


@pytest.fixture
def box(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree of a fleet whose inventory has changed since it was rendered, and folders that are nobody's business."""
    home = fleet(tmp_path / "a" / "home", box=OLD)
    (home / "hosts" / "a.jinja").write_text("template\n")
    write([Generator().render(home / "hosts" / "box.toml")])
    commit_all(home)
    keep = home / "keep"
    for path in ("stage/0", "x/y", "mine.yml", "fast.yml", "state.json", "docker-compose.yml"):
        (keep / path).parent.mkdir(parents=True, exist_ok=True)
        (keep / path).write_text(f"{HEADER}mine: 1\n")
    for path in ("empty", ".gitignore", "slot.lock", ".anvil-gen-0123456789ab.tmp"):
        (keep / path).touch()
    fleet(home, box=NEW)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text("#!/bin/sh\n")
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.chdir(home)
    return home / "deploy" / "box"


def link(place: Path, target: str) -> None:
    """Put a link in the place of whatever is there, to what is below the fleet's folder."""
    home = home_of(place)
    if place.is_dir() and not place.is_symlink():
        place.rename(home / f"old-{place.name}")
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath(home / target, place.parent))


def home_of(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "home")


def linked(path: str, target: str = "keep") -> Attack:
    return lambda box: link(box / path, target)


def written(path: str, text: str = f"{HEADER}mine: 1\n") -> Attack:
    def attack(box: Path) -> None:
        (box / path).parent.mkdir(parents=True, exist_ok=True)
        (box / path).write_text(text)

    return attack


def both(*attacks: Attack) -> Attack:
    def attack(box: Path) -> None:
        for one in attacks:
            one(box)

    return attack


def forged_state(*paths: str, text: str = f"{HEADER}mine: 1\n") -> Attack:
    """A state that says that we have written files of others."""

    def attack(box: Path) -> None:
        state = json.loads((box / ".anvil-gen" / "state.json").read_text())
        state["files"].update({path: digest_of(text) for path in paths})
        (box / ".anvil-gen" / "state.json").write_text(json.dumps(state))

    return attack


def journal(box: Path) -> None:
    staged = box / ".anvil-gen" / "stage"
    staged.mkdir()
    (staged / "0").write_text("#!/bin/sh\nexit 1\n")
    entries = {
        "format": 1,
        "replace": {"zz/post-checkout": None},
        "delete": {"zz/pre-commit.sample": "x"},
        "folders": [],
    }
    (staged / "journal.json").write_text(json.dumps(entries))


def next_text(path: str) -> str:
    return Generator().render(Path("hosts/box.toml")).tree.files[path]


def temporary_link(box: Path) -> None:
    link(box / "tiers" / temporary_name("fast.yml", next_text("tiers/fast.yml")), "keep/mine.yml")


def pipe(path: str) -> Attack:
    def attack(box: Path) -> None:
        (box / path).unlink(missing_ok=True)
        os.mkfifo(box / path)

    return attack


def folder(path: str) -> Attack:
    def attack(box: Path) -> None:
        (box / path).unlink(missing_ok=True)
        (box / path).mkdir()

    return attack


def hard_link(box: Path) -> None:
    (box / "tiers" / "fast.yml").unlink()
    (box / "tiers" / "fast.yml").hardlink_to(home_of(box) / "keep" / "mine.yml")


def hard_linked_lock(box: Path) -> None:
    (box / ".anvil-gen" / ".gitignore").unlink()
    (box / ".anvil-gen" / ".gitignore").hardlink_to(home_of(box) / "keep" / "empty")


IN_THE_WAY = {
    "the state folder": (linked(".anvil-gen"), ".anvil-gen"),
    "the state": (linked(".anvil-gen/state.json", "keep/state.json"), ".anvil-gen/state.json"),
    "a pipe for the state": (pipe(".anvil-gen/state.json"), ".anvil-gen/state.json"),
    "a folder for the state": (folder(".anvil-gen/state.json"), ".anvil-gen/state.json"),
    "all tiers": (linked("tiers"), "tiers"),
    "a tier": (linked("tiers/fast.yml", "keep/fast.yml"), "tiers/fast.yml"),
    "a pipe for a tier": (pipe("tiers/fast.yml"), "tiers/fast.yml"),
    "a folder for the root file": (folder("docker-compose.yml"), "docker-compose.yml"),
    "files of a tier": (linked("tiers/fast.files"), "tiers/fast.files"),
    "a folder in these": (linked("tiers/fast.files/templates"), "tiers/fast.files/templates"),
    "the tree itself": (linked("."), ""),
}
"""What stands where a file belongs that is rendered now, and what is named."""

ONLY_FOR_WRITING = {
    "the lock": (linked(".anvil-gen/.gitignore", "keep/empty"), ".anvil-gen/.gitignore"),
    "a temporary file": (temporary_link, "tiers/.anvil-gen-"),
}
"""What only a write meets."""

HARMLESS = {
    "a journal": both(journal, linked("zz", ".git/hooks")),
    "a state that names files by links": both(
        linked("zz"),
        linked("tiers/x.files"),
        linked("tiers/gone.yml", "keep/mine.yml"),
        forged_state("zz/mine.yml", "tiers/x.files/mine.yml", "tiers/gone.yml"),
    ),
    "a state that names files outside": forged_state("../../keep/mine.yml", "tiers/../../../keep/mine.yml"),
    "a root file that includes what is outside": written(
        "docker-compose.zz.yml", f"{HEADER}include:\n  - tiers/../../../keep/mine.yml\n"
    ),
    "folders of an earlier tree": both(linked("services"), linked("tiers/old.files"), linked("router/sub")),
    "the whole router": linked("router"),
    "temporary files": both(
        linked("tiers/.anvil-gen-0123456789ab.tmp", "keep/mine.yml"),
        linked("router/sub"),
        linked(".anvil-gen-0123456789ab.yml", "keep/mine.yml"),
        folder("tiers/.anvil-gen-0123456789ac.tmp"),
    ),
    "other cases": both(linked("Tiers"), linked(".Anvil-Gen"), linked("Docker-Compose.yml", "keep/mine.yml")),
    "a file with two names": hard_link,
    "a lock with two names": hard_linked_lock,
    "the slot's lock": linked(".anvil-gen/slot.lock", "keep/slot.lock"),
    "an earlier slot": both(linked("docker-compose.old.yml", "keep/mine.yml"), linked("serves.toml", "keep/mine.yml")),
}
"""What stands where no rendered file belongs, or cannot harm."""


def run(arguments: list[str]) -> list[tuple[str, str]]:
    """Run a verb; return summary and file of each error."""
    try:
        cli.main(args=arguments, standalone_mode=False)
    except DiagnosticError as error:
        return [(one.summary, one.location.file if one.location is not None else "") for one in error.diagnostics]
    except (click.ClickException, SystemExit):
        pass
    return []


def snapshot(folder: Path, *, without: Path | None = None) -> dict[Path, object]:
    """Return all that is in a folder: kinds, contents, times, and which inodes; links are not followed."""
    found: dict[Path, object] = {}
    for path in [folder, *folder.rglob("*")]:
        if without is not None and path.is_relative_to(without):
            continue
        one = path.lstat()
        content: object = path.readlink() if path.is_symlink() else None
        if stat.S_ISREG(one.st_mode):
            content = path.read_bytes()
        found[path] = (one.st_mode, one.st_ino, one.st_mtime_ns, content)
    return found


def outside(box: Path) -> dict[Path, object]:
    return snapshot(box.parents[3], without=None if box.is_symlink() else box)


@pytest.mark.parametrize("verb", [*READING, *WRITING], ids=" ".join)
@pytest.mark.parametrize(("attack", "named"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_in_the_way_is_named(box: Path, attack: Attack, named: str, verb: list[str]) -> None:
    attack(box)
    before = snapshot(box.parents[3])
    errors = run(verb)

    assert snapshot(box.parents[3]) == before
    if "--stdout" not in verb:
        assert errors == [("something is in the way", f"deploy/box/{named}".rstrip("/"))]


@pytest.mark.parametrize("verb", [*READING, *WRITING], ids=" ".join)
@pytest.mark.parametrize(("attack", "named"), ONLY_FOR_WRITING.values(), ids=ONLY_FOR_WRITING)
def test_what_only_a_write_meets(box: Path, attack: Attack, named: str, verb: list[str]) -> None:
    attack(box)
    before, times = outside(box), snapshot(box)
    errors = run(verb)

    assert outside(box) == before
    if verb in READING:
        assert snapshot(box) == times
    else:
        ((summary, file),) = errors
        assert (summary, file.startswith(f"deploy/box/{named}")) == ("something is in the way", True)


@pytest.mark.parametrize("verb", [*READING, *WRITING], ids=" ".join)
@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS)
def test_nothing_outside_is_touched(box: Path, attack: Attack, verb: list[str]) -> None:
    attack(box)
    before, inside = outside(box), snapshot(box)
    run(verb)

    assert outside(box) == before
    if verb in READING:
        assert snapshot(box) == inside
    elif "--force" in verb:
        files = Generator().render(Path("hosts/box.toml")).tree.files
        assert {path: (box / path).read_text() for path in files} == files


@pytest.mark.parametrize("verb", [*READING, *WRITING], ids=" ".join)
@pytest.mark.parametrize("folder", ["", ".git"], ids=["bare", "with a work tree"])
def test_a_repository_in_the_tree_starts_nothing(box: Path, folder: str, verb: list[str]) -> None:
    """Git fetches an object that is missing, by the program that the repository's own configuration names."""
    inside, started = box / folder, home_of(box) / "keep" / "started"
    for path in ("objects", "refs/heads"):
        (inside / path).mkdir(parents=True)
    (inside / "HEAD").write_text("ref: refs/heads/main\n")
    (inside / "refs" / "heads" / "main").write_text(f"{'1' * 40}\n")
    (inside / "config").write_text(
        f"[core]\nrepositoryformatversion = 1\nbare = false\nworktree = {box}\n"
        "[extensions]\npartialClone = origin\n"
        f'[remote "origin"]\nurl = file:///\npromisor = true\nuploadpack = "touch {started};"\n'
    )
    with (box / "tiers" / "fast.yml").open("a") as file:
        file.write("# edited\n")
    run(verb)

    assert not started.exists()


@pytest.mark.parametrize("output", ["../.git", "../../.ssh", "../deploy/link"])
@pytest.mark.parametrize("verb", WRITING, ids=" ".join)
def test_no_output_is_in_a_hidden_folder(box: Path, output: str, verb: list[str]) -> None:
    home = home_of(box)
    (home / "deploy" / "link").symlink_to("../.git/hooks")
    fleet(home, box=NEW.replace("schema = 1", f'schema = 1\n[host]\noutput = "{output}"'))
    before = snapshot(home.parent)
    errors = run(verb)

    assert [summary for summary, _ in errors] == ["name that is not allowed"]
    assert snapshot(home.parent) == before


@pytest.mark.parametrize("verb", WRITING, ids=" ".join)
def test_a_router_makes_no_hidden_files(box: Path, verb: list[str]) -> None:
    home = home_of(box)
    template = home / "templates" / "routers" / "haproxy" / "tree" / ".ssh" / "authorized_keys.j2"
    template.parent.mkdir(parents=True)
    template.write_text("text\n")
    fleet(home, box=INVENTORY + ROUTER)
    errors = run(verb)

    assert [summary for summary, _ in errors] == ["cannot read the file"]
    assert not (box / ".ssh").exists()


ENDLESS = {
    "a source of `files`": ("hosts/a.jinja", "/dev/zero", "cannot read the file"),
    "a pipe as one": ("hosts/a.jinja", "../pipe", "cannot read the file"),
    "an inventory": ("hosts/box.toml", "/dev/zero", "cannot read the file"),
}


@pytest.mark.parametrize("verb", [["render", "box", "--check"], ["up", "box"]], ids=" ".join)
@pytest.mark.parametrize(("place", "target", "expected"), ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_not_read(box: Path, place: str, target: str, expected: str, verb: list[str]) -> None:
    home = home_of(box)
    os.mkfifo(home / "pipe")
    (home / place).unlink()
    (home / place).symlink_to(target)

    assert [summary for summary, _ in run(verb)] == [expected]


def test_variables_are_not_read_from_a_device(box: Path) -> None:
    (box / ".env").symlink_to("/dev/zero")

    assert variables(box, {}) == {}


@pytest.mark.parametrize("text", ["[*a, *a, *a]", "[[*a, *a], {b: *a}]"])
def test_aliases_of_aliases_end(box: Path, text: str) -> None:
    """A value that holds itself more than once has no end, as one of aliases of aliases has none in practice."""
    (box / "tiers" / "fast.yml").write_text(f"{HEADER}services:\n  fast: &a {text}\n")

    run(["render", "box", "--check"])
