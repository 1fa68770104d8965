"""The deploy tree on disk: nothing lost, nothing half done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from running import commit_all, git, listing, tree

from anvil_gen.deploy.deploy_tree import HEADER, DeployFolder
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.resolve.resolved_host import Sources

MINE = f"{HEADER}hosts/box.toml. Edit that file.\n"
OLD = {"docker-compose.yml": f"{MINE}a: 1\n", "tiers/fast.yml": f"{MINE}b: 1\n", "tiers/deep/old.yml": f"{MINE}c: 1\n"}
NEW = {"docker-compose.yml": f"{MINE}a: 2\n", "tiers/fast.yml": f"{MINE}b: 1\n", "router/x/new.yml": f"{MINE}d: 1\n"}
SOURCES = Sources(own="0", shipped="0")
STATE = [".anvil-gen", ".anvil-gen/.gitignore", ".anvil-gen/state.json"]


def open_folder(path: Path) -> DeployFolder:
    return DeployFolder(path, inventory="hosts/box.toml")


def stage(path: Path, files: Mapping[str, str]) -> DeployFolder:
    """Do the part of a write that comes before its commit."""
    folder = open_folder(path)
    folder.recover()
    folder.stage(files, folder.compare(files), sources=SOURCES)
    return folder


def write(path: Path, files: Mapping[str, str]) -> None:
    stage(path, files).commit()


def put_journal(path: Path) -> Path:
    """Commit a write as a process does that is killed right after; return the stage."""
    folder = path / ".anvil-gen" / "stage"
    (folder / "journal.new").rename(folder / "journal.json")
    return folder


def planned(path: Path, files: Mapping[str, str], *earlier: str) -> list[tuple[str, str]]:
    return [(change.action, change.path) for change in open_folder(path).compare(files, earlier)]


def refused(path: Path, files: Mapping[str, str], *earlier: str) -> list[str]:
    folder = open_folder(path)
    return [change.path for change in folder.foreign(folder.compare(files, earlier))]


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
        ("delete", "tiers/deep/old.yml"),
    ]
    write(tmp_path, NEW)
    assert tree(tmp_path) == {**NEW, "tiers/mine.yml": OLD["tiers/fast.yml"]}
    assert not (tmp_path / "tiers" / "deep").exists()


def test_line_ends_of_windows_are_no_change(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    for path, text in OLD.items():
        (tmp_path / path).write_text(text, newline="\r\n")

    assert planned(tmp_path, OLD) == []
    assert refused(tmp_path, NEW) == []


class TestKilled:
    """What the next verb finds after a write that was killed."""

    def test_before_the_commit_leaves_the_old_tree(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        before = listing(tmp_path)
        stage(tmp_path, NEW)

        assert (tmp_path / "router" / "x").is_dir()
        open_folder(tmp_path).recover()
        assert tree(tmp_path) == OLD
        assert listing(tmp_path) == before

    def test_in_a_first_write_leaves_an_empty_folder(self, tmp_path: Path) -> None:
        stage(tmp_path / "box", NEW)

        open_folder(tmp_path / "box").recover()
        assert listing(tmp_path) == ["box"]

    def test_before_its_stage_leaves_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / ".anvil-gen").mkdir()
        (tmp_path / ".anvil-gen" / ".gitignore").write_text("*\n")

        open_folder(tmp_path).recover()
        assert listing(tmp_path) == []

    @pytest.mark.parametrize("done", [[], ["0"], ["0", "1"]])
    def test_after_the_commit_ends_in_the_new_tree(self, tmp_path: Path, done: list[str]) -> None:
        write(tmp_path, OLD)
        stage(tmp_path, NEW)
        staged = put_journal(tmp_path)
        for number, path in (("0", "docker-compose.yml"), ("1", "router/x/new.yml")):
            if number in done:
                (staged / number).rename(tmp_path / path)

        open_folder(tmp_path).recover()
        assert tree(tmp_path) == NEW
        assert [path for path in listing(tmp_path) if path.startswith(".anvil-gen")] == STATE
        assert planned(tmp_path, NEW) == []

    def test_an_empty_file_is_replaced_too(self, tmp_path: Path) -> None:
        (tmp_path / "docker-compose.yml").touch()
        stage(tmp_path, NEW)
        put_journal(tmp_path)

        open_folder(tmp_path).recover()
        assert tree(tmp_path) == NEW

    def test_an_edit_since_then_stays_and_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        stage(tmp_path, NEW)
        put_journal(tmp_path)
        (tmp_path / "docker-compose.yml").write_text("mine\n")
        (tmp_path / "tiers" / "deep" / "old.yml").write_text("mine too\n")

        open_folder(tmp_path).recover()
        assert tree(tmp_path) == {**NEW, "docker-compose.yml": "mine\n", "tiers/deep/old.yml": "mine too\n"}
        assert refused(tmp_path, NEW) == ["docker-compose.yml"]

    @pytest.mark.parametrize(
        "journal",
        [
            "",
            '{"format": 2}',
            '{"format":1,"replace":{"../out.yml":null},"delete":{},"folders":[]}',
            '{"format":1,"replace":{"C:\\\\out.yml":null},"delete":{},"folders":[]}',
        ],
    )
    def test_a_journal_that_is_not_ours_is_an_error(self, tmp_path: Path, journal: str) -> None:
        box = tmp_path / "box"
        (box / ".anvil-gen" / "stage").mkdir(parents=True)
        (box / ".anvil-gen" / "stage" / "0").write_text("text")
        (box / ".anvil-gen" / "stage" / "journal.json").write_text(journal)

        with pytest.raises(DiagnosticError, match="cannot finish an earlier write"):
            open_folder(box).recover()
        assert [path.name for path in tmp_path.iterdir()] == ["box"]


class TestForeign:
    """What may be overwritten: what was written here last, or what git has committed."""

    def test_a_hand_edit_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        (tmp_path / "docker-compose.yml").write_text(f"{MINE}mine: 1\n")
        (tmp_path / "tiers" / "deep" / "old.yml").write_text(f"{MINE}mine: 1\n")

        assert refused(tmp_path, NEW) == ["docker-compose.yml", "tiers/deep/old.yml"]

    def test_without_state_and_git_all_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        (tmp_path / ".anvil-gen" / "state.json").unlink()

        assert refused(tmp_path, NEW, "tiers/deep/old.yml") == ["docker-compose.yml", "tiers/deep/old.yml"]

    def test_what_git_has_may_be_overwritten(self, tmp_path: Path) -> None:
        write(tmp_path / "deploy" / "box", OLD)
        commit_all(tmp_path)
        (tmp_path / "deploy" / "box" / ".anvil-gen" / "state.json").unlink()

        assert refused(tmp_path / "deploy" / "box", NEW, "tiers/deep/old.yml") == []

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

    def test_only_named_files_of_an_earlier_render_go(self, tmp_path: Path) -> None:
        for path in ("tiers/gone.yml", "tiers/copy.yml"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(MINE)
        (tmp_path / "serves.toml").write_text("# somebody's\n")
        (tmp_path / "tiers" / "other.yml").write_text(f"{HEADER}hosts/other.toml. Edit that file.\n")

        earlier = ("tiers/gone.yml", "tiers/other.yml", "serves.toml", "router/compose.yml")
        assert planned(tmp_path, {}, *earlier) == [("delete", "tiers/gone.yml")]

    def test_files_of_another_inventory(self, tmp_path: Path) -> None:
        write(tmp_path, OLD)
        other = DeployFolder(tmp_path, inventory="hosts/other.toml")

        assert other.other_inventory(other.compare({})) == "hosts/box.toml"
        assert open_folder(tmp_path).other_inventory(open_folder(tmp_path).compare({})) is None


class TestInTheWay:
    """Something that is no file, where a file belongs."""

    @pytest.mark.parametrize("place", ["", "tiers", "tiers/fast.yml"])
    @pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
    def test_nothing_is_written(self, tmp_path: Path, place: str, kind: str) -> None:
        where = tmp_path / "box" / place
        where.parent.mkdir(parents=True, exist_ok=True)
        if kind == "folder":
            (where / "inside").mkdir(parents=True)
        elif kind == "file":
            where.write_text("mine\n")
        else:
            where.symlink_to(tmp_path / "nowhere")
        fine = {("folder", ""), ("folder", "tiers"), ("file", "tiers/fast.yml")}
        before = listing(tmp_path)

        if (kind, place) in fine:
            assert len(planned(tmp_path / "box", OLD)) == 3
        else:
            with pytest.raises(DiagnosticError):
                write_or_drop(tmp_path / "box", OLD)
        assert listing(tmp_path) == before


def write_or_drop(path: Path, files: Mapping[str, str]) -> None:
    folder = open_folder(path)
    changes = folder.compare(files)
    try:
        folder.stage(files, changes, sources=SOURCES)
    except DiagnosticError:
        folder.drop()
        raise
