"""The pipeline from inventories to what is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import EXPERIMENT, INVENTORY, ROUTER, SECOND_TIER, commit_all, fleet, git, listing, tree

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError


def render(folder: Path, *hosts: str, force: bool = False, output: Path | None = None) -> list[tuple[str, str]]:
    """Render hosts of a fleet, and return what was done to which file."""
    inventories = [folder / "hosts" / f"{host}.toml" for host in hosts]
    outcomes = Generator().render_all(inventories, output=output)
    write(outcomes, force=force)
    return [(change.action, change.path) for outcome in outcomes for change in outcome.files]


def diagnostics(folder: Path, *hosts: str) -> list[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        render(folder, *hosts)
    return [(d.summary, Path(d.location.file).name) for d in caught.value.diagnostics if d.location is not None]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8", newline="\n")


def test_a_changed_flag_is_one_changed_file(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY + SECOND_TIER)
    render(tmp_path, "box")

    edit(tmp_path / "hosts" / "box.toml", "65536", "32768")
    assert render(tmp_path, "box") == [("update", "tiers/fast.yml")]


def test_a_removed_tier_and_router_go(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY + SECOND_TIER + ROUTER)
    render(tmp_path, "box")
    fleet(tmp_path, box=INVENTORY)
    done = render(tmp_path, "box")

    assert ("delete", "tiers/heavy.yml") in done
    assert sorted(tree(tmp_path / "deploy" / "box")) == ["docker-compose.yml", "tiers/fast.yml"]
    assert not (tmp_path / "deploy" / "box" / "router").exists()


class TestFreshClone:
    """A folder that was rendered elsewhere, with no state of this machine."""

    @pytest.fixture
    def box(self, tmp_path: Path) -> Path:
        fleet(tmp_path, box=INVENTORY + SECOND_TIER + ROUTER + EXPERIMENT)
        render(tmp_path, "box")
        box = tmp_path / "deploy" / "box"
        mine = (box / "tiers" / "heavy.yml").read_text().replace("# Made by anvil-gen", "# Once made by anvil-gen")
        (box / "tiers" / "copy.yml").write_text(mine)
        (box / ".env").write_text((box / ".env.example").read_text())
        commit_all(tmp_path)
        git(tmp_path, "clean", "-ffdxq")
        assert not (box / ".anvil-gen").exists()
        return box

    def test_is_taken_over_silently(self, tmp_path: Path, box: Path) -> None:
        assert render(tmp_path, "box") == []
        assert (box / ".anvil-gen" / "state.json").is_file()

    def test_all_that_was_removed_goes_and_copies_stay(self, tmp_path: Path, box: Path) -> None:
        fleet(tmp_path, box=INVENTORY)
        render(tmp_path, "box")

        assert sorted(tree(box)) == [".env", "docker-compose.yml", "tiers/copy.yml", "tiers/fast.yml"]

    def test_what_nothing_renders_goes_where_git_has_it(self, tmp_path: Path, box: Path) -> None:
        (box / "tiers" / "gone.yml").write_text((box / "tiers" / "heavy.yml").read_text())
        assert diagnostics(tmp_path, "box") == [("file was changed manually", "gone.yml")]

        commit_all(tmp_path)
        assert render(tmp_path, "box") == [("delete", "tiers/gone.yml")]

    def test_a_hand_edit_stops_it(self, tmp_path: Path, box: Path) -> None:
        fleet(tmp_path, box=INVENTORY + SECOND_TIER)
        edit(box / "tiers" / "fast.yml", "65536", "1")
        edit(box / "router" / "haproxy.cfg", "fast:30001", "fast:1")

        assert diagnostics(tmp_path, "box") == [
            ("file was changed manually", "fast.yml"),
            ("file was changed manually", "haproxy.cfg"),
        ]

    def test_pulled_over_an_older_state(self, tmp_path: Path, box: Path) -> None:
        with_all = (tmp_path / "hosts" / "box.toml").read_text()
        fleet(tmp_path, box=INVENTORY)
        render(tmp_path, "box")
        git(tmp_path, "checkout", "--quiet", "deploy")
        assert "heavy" in with_all

        render(tmp_path, "box")
        assert sorted(tree(box)) == [".env", "docker-compose.yml", "tiers/copy.yml", "tiers/fast.yml"]


class TestNothingWritten:
    """A render that fails leaves every folder as it was."""

    def test_a_fault_in_one_inventory(self, tmp_path: Path) -> None:
        fleet(tmp_path, a=INVENTORY, b=INVENTORY.replace('engine = "vllm"', 'engine = "vlm"'))

        with pytest.raises(DiagnosticError):
            render(tmp_path, "a", "b")
        assert listing(tmp_path) == ["hosts", "hosts/a.toml", "hosts/b.toml"]

    def test_a_hand_edit_in_the_last_host(self, tmp_path: Path) -> None:
        fleet(tmp_path, a=INVENTORY, b=INVENTORY, c=INVENTORY)
        render(tmp_path, "b", "c")
        for host in "bc":
            edit(tmp_path / "deploy" / host / "tiers" / "fast.yml", "65536", "1")

        assert diagnostics(tmp_path, "a", "b", "c") == [("file was changed manually", "fast.yml")] * 2
        assert sorted(path.name for path in (tmp_path / "deploy").iterdir()) == ["b", "c"]

    def test_a_last_host_that_cannot_be_written(self, tmp_path: Path) -> None:
        fleet(tmp_path, a=INVENTORY, b=INVENTORY)
        (tmp_path / "deploy" / "b").mkdir(parents=True)
        (tmp_path / "deploy" / "b" / ".anvil-gen").write_text("a file\n")
        before = listing(tmp_path)

        assert diagnostics(tmp_path, "a", "b") == [("something is in the way", ".anvil-gen")]
        assert listing(tmp_path) == before

    def test_two_hosts_with_one_output(self, tmp_path: Path) -> None:
        same = INVENTORY + '\n[host]\noutput = "../out"\n'
        fleet(tmp_path, a=same, b=same)

        assert diagnostics(tmp_path, "a", "b") == [("output taken twice", "b.toml")]
        assert not (tmp_path / "out").exists()


def test_the_output_of_another_inventory_is_refused(tmp_path: Path) -> None:
    same = INVENTORY + '\n[host]\noutput = "../out"\n'
    fleet(tmp_path, a=same, b=same.replace("fast", "slow"))
    render(tmp_path, "a")
    before = tree(tmp_path / "out")

    assert diagnostics(tmp_path, "b") == [("output taken twice", "b.toml")]
    assert tree(tmp_path / "out") == before
    render(tmp_path, "b", force=True)
    assert sorted(tree(tmp_path / "out")) == ["docker-compose.yml", "tiers/slow.yml"]


def test_a_hand_edit_tells_the_diff_and_both_ways_on(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY + '\n[host]\nname = "other-name"\n')
    render(tmp_path, "box", output=tmp_path / "my out")
    edit(tmp_path / "my out" / "tiers" / "fast.yml", "65536", "1\x1b[31m")

    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, "box", output=tmp_path / "my out")
    (diagnostic,) = caught.value.diagnostics
    inventory = (tmp_path / "hosts" / "box.toml").as_posix()
    assert "-      - --max-model-len=1\\x1b[31m\n+      - --max-model-len=65536\n" in diagnostic.detail
    assert diagnostic.remedy == (
        f"to keep it, write what it says into {inventory}, [tiers.fast] (flags as `flags`, other keys as `override`)\n"
        f"and render again; to overwrite it:\n\n    anvil-gen render {inventory} --output '{tmp_path}/my out' --force"
    )
    assert render(tmp_path, "box", output=tmp_path / "my out", force=True) == [("update", "tiers/fast.yml")]


def test_changes_of_the_main_project_come_first(tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY + EXPERIMENT)
    (one,) = Generator().render_all([tmp_path / "hosts" / "box.toml"])

    assert [c.project for c in one.changes if c.service is not None] == ["box", "a-slot"]


def test_a_volume_goes_with_the_last_tier_that_mounts_it(tmp_path: Path) -> None:
    second = SECOND_TIER.replace("sglang", "vllm")
    fleet(tmp_path, box=INVENTORY + second)
    render(tmp_path, "box")
    fleet(tmp_path, box=INVENTORY)
    (one,) = Generator().render_all([tmp_path / "hosts" / "box.toml"])

    assert ["/".join(change.address) for change in one.changes] == ["services/heavy"]


@pytest.mark.parametrize("text", ["services: {a: {x: 2024-13-45}}\n", "a: [\n", "- 1\n", "[" * 3000, "\x00"])
def test_a_broken_file_on_disk_is_only_a_difference(tmp_path: Path, text: str) -> None:
    fleet(tmp_path, box=INVENTORY)
    render(tmp_path, "box")
    (tmp_path / "deploy" / "box" / "tiers" / "fast.yml").write_text(text)
    (one,) = Generator().render_all([tmp_path / "hosts" / "box.toml"])

    assert [change.path for change in one.files] == ["tiers/fast.yml"]
