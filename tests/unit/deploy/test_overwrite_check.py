"""What a write would destroy: a person's edits, files of somebody else, a tree of another inventory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.deploy_tree import DeployTree, FileAction, FileChange
from anvil_gen.deploy.overwrite_check import overwrite_errors
from anvil_gen.deploy.plan import Comparison, Plan
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.render.syntaxes import parse
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tree
from anvil_gen.resolve.output import HEADER

TIERS = """\
[tiers.fast]
engine = "vllm"
model.path = "/m"
[tiers.own]
engine = "custom"
image = "x:1"
port = 9000
"""
INVENTORY = "hosts/box.toml"
MINE = f"{HEADER}{INVENTORY}. Edit that file.\n"
COMMAND = "services: {a: {command: [serve, --x, '1', --y, '2']}}\n"
MOVED = "services: {a: {command: [serve, --y, '2', --x, '1']}}\n"


class Foreign(DeployTree):
    """A folder of which every file that is there is somebody's work."""

    def foreign(self, changes: Iterable[FileChange]) -> list[FileChange]:
        return [change for change in changes if change.before is not None]


def errors(folder: Path, path: str, before: str | None, after: str | None) -> list[Diagnostic]:
    """Return what speaks against one change of a file."""
    host = Host(folder / "hosts" / "box.toml", Catalog(), text=f"schema = 1\n{TIERS}")
    files = {} if after is None else {path: after}
    plan = Plan(host, Tree(files=files, data={path: parse(text, path) for path, text in files.items()}))
    action: FileAction = "create" if before is None else "delete" if after is None else "update"
    plan.__dict__["_comparison"] = Comparison(
        folder=Foreign(host.output, inventory=INVENTORY),
        files=(FileChange(path=path, action=action, before=before, after=after),),
    )
    return [*overwrite_errors(plan)]


@pytest.mark.parametrize(
    ("path", "before", "after", "code"),
    [
        ("tiers/fast.yml", None, f"{MINE}a: 1\n", None),
        ("tiers/fast.yml", f"{MINE}a: 2\n", f"{MINE}a: 1\n", "file-was-changed-manually"),
        ("tiers/fast.yml", "a: 1\n", f"{MINE}a: 1\n", "file-was-not-made-by-anvil-gen"),
        ("tiers/fast.yml", "", f"{MINE}a: 1\n", "file-was-not-made-by-anvil-gen"),
        # What says the same is not lost: other lines, another order of keys.
        ("tiers/fast.yml", f"{MINE}b: 1\na: 1\n", f"{MINE}a: 1\n\nb: 1\n", None),
        ("tiers/fast.yml", f"{MINE}a: '1'\n", f"{MINE}a: 1\n", "file-was-changed-manually"),
        ("tiers/fast.yml", f"{MINE}# why\na: 1\n", f"{MINE}a: 1\n", "file-was-changed-manually"),
        ("tiers/fast.yml", f"{MINE}a: 1\n", f"{MINE}# why\na: 1\n", None),
        ("tiers/fast.yml", f"{MINE}a: [\n", f"{MINE}a: 1\n", "file-was-changed-manually"),
        ("tiers/fast.yml", f"{MINE}a: 1\n", None, "file-was-changed-manually"),
        ("notes.yml", "a: 1\n", None, "file-was-not-made-by-anvil-gen"),
        # The order of flags means nothing, but in a command that is a tier's own, or no tier's.
        ("tiers/fast.yml", MINE + MOVED, MINE + COMMAND, None),
        ("tiers/own.yml", MINE + MOVED, MINE + COMMAND, "file-was-changed-manually"),
        ("services/fast.yml", MINE + MOVED, MINE + COMMAND, "file-was-changed-manually"),
        # Of what is no compose file, the text counts.
        ("router/haproxy.cfg", f"{MINE}a\n", f"{MINE}\na\n", "file-was-changed-manually"),
        ("tiers/fast.files/x.yml", f"{MINE}a: 1\n", f"{MINE}\na: 1\n", "file-was-changed-manually"),
    ],
)
def test_whether_a_change_destroys_something(
    path: str, before: str | None, after: str | None, code: str | None, tmp_path: Path
) -> None:
    assert [error.code for error in errors(tmp_path, path, before, after)] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("path", "before", "after", "where"),
    [
        ("tiers/fast.yml", "a: 1\n", "a: 2\n", ", [tiers.fast] (flags as `flags`, other keys as `override`)"),
        ("tiers/a b.yml", "a: 1\n", "a: 2\n", ', [tiers."a b"] (flags as `flags`, other keys as `override`)'),
        ("router/docker-compose.yml", "a: 1\n", "a: 2\n", ", [router] (as `override`)"),
        ("services/db.yml", "a: 1\n", "a: 2\n", ", [services.db]"),
        ("docker-compose.yml", "a: 1\n", "a: 2\n", ""),
        ("router/haproxy.cfg", "a\n", "b\n", ""),
        ("tiers/fast.files/x.yml", "a\n", "b\n", ""),
    ],
)
def test_where_to_write_what_a_file_says(path: str, before: str, after: str, where: str, tmp_path: Path) -> None:
    inventory = (tmp_path / "hosts" / "box.toml").as_posix()
    (error,) = errors(tmp_path, path, before, after)

    assert error.remedy == (
        f"to keep it, write what it says into {inventory}{where}\n"
        f"and render again; to overwrite it:\n\n    anvil-gen render {inventory} --force"
    )


def test_a_file_that_goes_is_removed_and_has_no_place(tmp_path: Path) -> None:
    inventory = (tmp_path / "hosts" / "box.toml").as_posix()
    (error,) = errors(tmp_path, "tiers/old.yml", f"{MINE}a: 1\n", None)

    assert error.remedy == (
        f"to keep it, write what it says into {inventory}\n"
        f"and render again; to remove it:\n\n    anvil-gen render {inventory} --force"
    )
    assert error.location is not None
    assert error.location.file.endswith("deploy/box/tiers/old.yml")


def test_a_difference_is_shown_without_secrets(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "tiers/fast.yml", "a: 1\nAPI_KEY: sesame\n", "a: 2\n")

    assert error.detail.splitlines()[:5] == [
        "from what is there (-) to what would be (+):",
        "--- a/tiers/fast.yml",
        "+++ b/tiers/fast.yml",
        "@@ -1,2 +1 @@",
        "-a: 1",
    ]
    assert "-API_KEY: " in error.detail
    assert "sesame" not in error.detail


def test_only_the_comments_that_are_lost_are_shown(tmp_path: Path) -> None:
    before = f"{MINE}# why\nAPI_KEY: x  # sesame\na: 1  # kept\n"
    (error,) = errors(tmp_path, "tiers/fast.yml", before, f"{MINE}a: 1  # kept\nAPI_KEY: x\n")

    assert error.detail.splitlines()[:3] == [
        "it matches the inventory except for comments, which would be lost:",
        "",
        "    # why",
    ]
    assert "kept" not in error.detail
    assert "sesame" not in error.detail
    assert error.remedy.endswith(f"    anvil-gen render {(tmp_path / INVENTORY).as_posix()} --force")


def test_a_tree_of_another_inventory_is_told_once_and_nothing_else(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "tiers/fast.yml", f"{HEADER}hosts/other.toml. Edit that file.\na: 1\n", "a: 2\n")

    assert (error.code, error.address) == ("output-taken-twice", "host")
    assert error.detail.endswith("deploy/box holds what was rendered from hosts/other.toml")
    assert error.remedy.startswith('set another "output" in [host]; or give the folder to this one:\n')
    assert error.location is not None
    assert error.location.file == (tmp_path / INVENTORY).as_posix()
