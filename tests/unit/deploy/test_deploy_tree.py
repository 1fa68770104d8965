"""The deploy tree on disk: nothing lost, nothing half done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from places import REPOSITORY
from running import commit_all, git, listing, tree

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.contained_folder import ContainedFolder, temporary_name
from anvil_gen.deploy.deploy_tree import DeployTree
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.resolve.host import Sources
from anvil_gen.resolve.output import HEADER

MINE = f"{HEADER}hosts/box.toml. Edit that file.\n"
OLD = {
    "docker-compose.yml": f"{MINE}a: 1\n",
    "tiers/fast.yml": f"{MINE}b: 1\n",
    "tiers/deep.files/old.yml": f"{MINE}c: 1\n",
}
NEW = {"docker-compose.yml": f"{MINE}a: 2\n", "tiers/fast.yml": f"{MINE}b: 1\n", "router/x/new.yml": f"{MINE}d: 1\n"}
SOURCES = Sources(own="0", shipped="0")
STATE = [".anvil-gen", ".anvil-gen/.gitignore", ".anvil-gen/state.json"]

TARGETS = Catalog().names("targets")
"""The folders of further targets in an example's, which have places of their own."""


def open_folder(path: Path) -> DeployTree:
    return DeployTree(path, inventory="hosts/box.toml")


def stage(path: Path, files: Mapping[str, str]) -> DeployTree:
    """Do the part of a write that comes before its commit."""
    folder = open_folder(path)
    try:
        folder.lock()
        folder.stage(files, folder.compare(files), sources=SOURCES)
    except DiagnosticError:
        folder.drop()
        raise
    return folder


def write(path: Path, files: Mapping[str, str]) -> None:
    stage(path, files).commit()


def killed(path: Path, files: Mapping[str, str], *, after: int) -> None:
    """Do the first steps of a write, as a process does that is killed then."""
    left = iter(range(after))

    def rename(folder: ContainedFolder, source: str, target: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        put(folder, source, target)

    put = ContainedFolder.rename
    folder = stage(path, files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ContainedFolder, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            folder.commit()


def planned(path: Path, files: Mapping[str, str], *names: str) -> list[tuple[str, str]]:
    return [(change.action, change.path) for change in open_folder(path).compare(files, lambda: names)]


def refused(path: Path, files: Mapping[str, str]) -> list[str]:
    folder = open_folder(path)
    return [change.path for change in folder.foreign(folder.compare(files))]


def test_written(tmp_path: Path) -> None:
    write(tmp_path / "a" / "box", OLD)

    assert tree(tmp_path / "a" / "box") == OLD
    assert planned(tmp_path / "a" / "box", OLD) == []


def test_replaced_and_removed_with_empty_folders(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    (tmp_path / "tiers" / "mine.yml").write_text(OLD["tiers/fast.yml"])

    assert planned(tmp_path, NEW) == [
        ("update", "docker-compose.yml"),
        ("create", "router/x/new.yml"),
        ("delete", "tiers/deep.files/old.yml"),
    ]
    write(tmp_path, NEW)
    assert tree(tmp_path) == {**NEW, "tiers/mine.yml": OLD["tiers/fast.yml"]}
    assert not (tmp_path / "tiers" / "deep.files").exists()


def test_line_ends_of_windows_are_no_change(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    for path, text in OLD.items():
        (tmp_path / path).write_text(text, newline="\r\n")

    assert planned(tmp_path, OLD) == []
    assert refused(tmp_path, NEW) == []


@pytest.mark.parametrize("again", ["here", "in another clone"])
def test_a_copied_file_keeps_its_line_ends(again: str, tmp_path: Path) -> None:
    copied = {**OLD, "tiers/deep.files/a.txt": "a\r\nb\r\n"}
    write(tmp_path, copied)
    if again != "here":
        (tmp_path / ".anvil-gen" / "state.json").unlink()

    assert planned(tmp_path, copied) == []
    assert (tmp_path / "tiers/deep.files/a.txt").read_bytes() == b"a\r\nb\r\n"


def test_other_line_ends_of_a_copied_file_are_a_change(tmp_path: Path) -> None:
    write(tmp_path, {**OLD, "tiers/deep.files/a.txt": "a\r\nb\r\n"})
    changed = {**OLD, "tiers/deep.files/a.txt": "a\nb\n"}

    assert planned(tmp_path, changed) == [("update", "tiers/deep.files/a.txt")]
    assert refused(tmp_path, changed) == []


class TestKilled:
    """What the next write finds after one that was killed."""

    def test_before_its_first_step_it_has_changed_nothing(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        before = {path: (tmp_path / path).read_text() for path in listing(tmp_path) if (tmp_path / path).is_file()}
        killed(tmp_path, NEW, after=0)

        assert before.items() <= {path: (tmp_path / path).read_text() for path in before}.items()
        assert refused(tmp_path, OLD) == []
        write(tmp_path, OLD)
        assert tree(tmp_path) == OLD
        assert listing(tmp_path) == sorted(before.keys() | {"tiers", "tiers/deep.files", ".anvil-gen"})

    @pytest.mark.parametrize("done", range(1, 4))
    def test_the_next_write_ends_it(self, tmp_path: Path, done: int) -> None:
        write(tmp_path, OLD)
        killed(tmp_path, NEW, after=done)

        assert refused(tmp_path, NEW) == []
        assert not open_folder(tmp_path).is_as_rendered(SOURCES)
        write(tmp_path, NEW)
        assert tree(tmp_path) == NEW
        assert [path for path in listing(tmp_path) if path.startswith(".anvil-gen")] == STATE
        assert open_folder(tmp_path).is_as_rendered(SOURCES)

    @pytest.mark.parametrize("done", range(4))
    def test_or_goes_back(self, tmp_path: Path, done: int) -> None:
        write(tmp_path, OLD)
        killed(tmp_path, NEW, after=done)

        assert refused(tmp_path, OLD) == []
        write(tmp_path, OLD)
        assert tree(tmp_path) == OLD

    def test_what_was_overwritten_by_force_is_not_asked_about_again(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        (tmp_path / "docker-compose.yml").write_text("mine\n")
        assert refused(tmp_path, NEW) == ["docker-compose.yml"]
        killed(tmp_path, NEW, after=1)

        assert refused(tmp_path, NEW) == []

    def test_an_edit_since_then_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        killed(tmp_path, NEW, after=1)
        (tmp_path / "docker-compose.yml").write_text("mine\n")
        (tmp_path / "tiers" / "deep.files" / "old.yml").write_text("mine too\n")

        assert refused(tmp_path, NEW) == ["docker-compose.yml", "tiers/deep.files/old.yml"]

    def test_only_files_of_that_name_are_temporary(self, tmp_path: Path) -> None:
        mine = [".anvil-gen-0123456789ab.txt", "tiers/.anvil-gen-0123456789.tmp", "x/.anvil-gen-0123456789ab.tmp"]
        ours = [".anvil-gen-0123456789ab.tmp", "tiers/x.files/y/.anvil-gen-0123456789ab.yml"]
        for path in (*mine, *ours):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("text\n")
        write(tmp_path, OLD)

        assert tree(tmp_path) == {**OLD, **dict.fromkeys(mine, "text\n")}


class TestForeign:
    """What may be overwritten: what was written here last, or what git has committed."""

    def test_a_hand_edit_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        (tmp_path / "docker-compose.yml").write_text(f"{MINE}mine: 1\n")
        (tmp_path / "tiers" / "deep.files" / "old.yml").write_text(f"{MINE}mine: 1\n")

        assert refused(tmp_path, NEW) == ["docker-compose.yml", "tiers/deep.files/old.yml"]

    def test_without_state_and_git_all_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        (tmp_path / ".anvil-gen" / "state.json").unlink()

        assert refused(tmp_path, NEW) == ["docker-compose.yml", "tiers/deep.files/old.yml"]

    def test_what_git_has_may_be_overwritten(self, tmp_path: Path) -> None:
        write(tmp_path / "deploy" / "box", OLD)
        commit_all(tmp_path)
        (tmp_path / "deploy" / "box" / ".anvil-gen" / "state.json").unlink()

        assert refused(tmp_path / "deploy" / "box", NEW) == []

    def test_what_git_has_in_another_form_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        commit_all(tmp_path)
        (tmp_path / ".anvil-gen" / "state.json").unlink()
        git(tmp_path, "update-index", "--assume-unchanged", "docker-compose.yml")
        (tmp_path / "docker-compose.yml").write_text(f"{MINE}mine: 1\n")

        assert refused(tmp_path, NEW) == ["docker-compose.yml"]

    def test_a_file_without_our_header_is_refused_though_git_has_it(self, tmp_path: Path) -> None:
        (tmp_path / "docker-compose.yml").write_text("services: {}\n")
        commit_all(tmp_path)

        assert refused(tmp_path, NEW) == ["docker-compose.yml"]

    def test_only_files_where_a_tree_has_them_go(self, tmp_path: Path) -> None:
        ours = ["docker-compose.old.yml", "router/a/b.cfg", "serves.toml", "services/ui.yml", "tiers/gone.yml"]
        mine = ["notes.yml", "tiers/a/b.yml", "tiers/x.txt", "services/ui/x.yml", "Tiers/gone.yml", ".anvil-gen/x.yml"]
        for path in (*ours, *mine):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(MINE)
        (tmp_path / "router" / "compose.yml").write_text("# somebody's\n")
        (tmp_path / "tiers" / "other.yml").write_text(f"{HEADER}hosts/other.toml. Edit that file.\n")

        assert planned(tmp_path, {}, "serves.toml") == [("delete", path) for path in ours]

    def test_every_file_of_the_examples_is_where_a_tree_has_it(self) -> None:
        examples = REPOSITORY / "examples"
        for folder in examples.iterdir():
            texts = {path: text for path, text in tree(folder).items() if path.split("/")[0] not in TARGETS}
            headed = {path for path, text in texts.items() if text.startswith(HEADER)}
            found = DeployTree(folder, inventory=f"hosts/{folder.name}.toml").compare({}, lambda: ["serves.toml"])
            assert {change.path for change in found} >= headed

    def test_files_of_another_inventory(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        other = DeployTree(tmp_path, inventory="hosts/other.toml")

        assert other.other_inventory(other.compare({})) == "hosts/box.toml"
        assert open_folder(tmp_path).other_inventory(open_folder(tmp_path).compare({})) is None


class TestInTheWay:
    """Something that is no file, where a file belongs."""

    @pytest.mark.parametrize("place", ["", "tiers", "tiers/fast.yml", ".anvil-gen", ".anvil-gen/state.json"])
    @pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "pipe"])
    def test_nothing_is_written(self, tmp_path: Path, place: str, kind: str) -> None:
        where = tmp_path / "box" / place
        where.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere").mkdir()
        if kind == "folder":
            (where / "inside").mkdir(parents=True)
        elif kind == "file":
            where.write_text("mine\n")
        elif kind == "pipe":
            os.mkfifo(where)
        else:
            where.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
        folders, files = ("", "tiers", ".anvil-gen"), ("tiers/fast.yml", ".anvil-gen/state.json")
        before = listing(tmp_path)

        if (kind == "folder" and place in folders) or (kind == "file" and place in files):
            assert len(planned(tmp_path / "box", OLD)) == 3
        else:
            with pytest.raises(DiagnosticError, match="something is in the way") as caught:
                planned(tmp_path / "box", OLD)
            (diagnostic,) = caught.value.diagnostics
            assert diagnostic.location is not None
            assert diagnostic.location.file.endswith(f"/box/{place}".rstrip("/"))
        assert listing(tmp_path) == before

    @pytest.mark.parametrize("kind", ["link", "folder"])
    def test_where_the_lock_or_a_temporary_file_belongs(self, tmp_path: Path, kind: str) -> None:
        box = tmp_path / "box"
        write(box, OLD)
        texts = {path: (box / path).read_bytes() for path in listing(box) if (box / path).is_file()}
        temporary = temporary_name("fast.yml", NEW["tiers/fast.yml"] + "x")
        for place in (".anvil-gen/.gitignore", f"tiers/{temporary}"):
            with suppress(FileNotFoundError):
                (box / place).unlink()
            (tmp_path / "victim").write_text("theirs")
            if kind == "link":
                (box / place).symlink_to(tmp_path / "victim")
            else:
                (box / place).mkdir()
            files = {**NEW, "tiers/fast.yml": NEW["tiers/fast.yml"] + "x"}
            with pytest.raises(DiagnosticError):
                stage(box, files)

            assert (tmp_path / "victim").read_text() == "theirs"
            (box / place).unlink() if kind == "link" else (box / place).rmdir()
            (box / ".anvil-gen" / ".gitignore").write_bytes(texts[".anvil-gen/.gitignore"])
            assert {path: (box / path).read_bytes() for path in listing(box) if (box / path).is_file()} == texts

    def test_outside_is_no_place(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("theirs")
        (tmp_path / "box" / "a").mkdir(parents=True)
        for path in ("../x", "a/../../x", "..", "a/.."):
            with pytest.raises(DiagnosticError):
                open_folder(tmp_path / "box").read(path)
