"""Locks on disk: whole at every moment, and shared where hosts have the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.atomic_write import write_file
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.lock_file import ImagePin, Lock, fleet_lock_path, lock_path, lock_text, read_lock
from anvil_gen.pin import write_locks as module
from anvil_gen.pin.pins import PinPlan
from anvil_gen.pin.wanted import wanted
from anvil_gen.pin.write_locks import write_locks
from anvil_gen.resolve.host import Host

A, B = ImagePin(digest=f"sha256:{'a' * 64}"), ImagePin(digest=f"sha256:{'b' * 64}")


def fleet(folder: Path, **hosts: dict[str, ImagePin]) -> dict[str, Path]:
    """Write inventories that run images, and a lock of each by itself; return the inventories."""
    (folder / "hosts").mkdir()
    (folder / "locks").mkdir()
    found = {}
    for name, images in hosts.items():
        services = "".join(f'[services.s{index}]\nimage = "{image}"\n' for index, image in enumerate(images))
        found[name] = folder / "hosts" / f"{name}.toml"
        found[name].write_text(f"schema = 1\n{services}", "utf-8")
        lock_path(found[name]).write_text(lock_text(Lock(images=images), ()), "utf-8")
    return found


def plan(path: Path, images: dict[str, ImagePin]) -> PinPlan:
    host = Host(path, Catalog(), lock=Lock())
    found, unheld = wanted(host)
    return PinPlan(host=host, lock=Lock(images=images), wanted=found, unheld=unheld, changes=())


def test_what_two_have_goes_to_the_fleet_and_comes_back(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, one={"x:1": A, "y:1": A}, two={"x:1": A})
    write_locks(plan(hosts["one"], {"x:1": A, "y:1": A}))
    own, shared = lock_path(hosts["two"]).read_text("utf-8"), fleet_lock_path(hosts["two"]).read_text("utf-8")

    assert "x:1" in shared
    assert "y:1" not in shared
    assert "x:1" not in own
    write_locks(plan(hosts["two"], {"x:1": B}))
    assert read_lock(hosts["one"]).images == {"x:1": A, "y:1": A}
    assert read_lock(hosts["two"]).images == {"x:1": B}
    assert "[images" not in fleet_lock_path(hosts["two"]).read_text("utf-8")


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, one={"x:1": A}, two={"x:1": A})
    assert write_locks(plan(hosts["one"], {"x:1": A})) != []
    times = [path.stat().st_mtime_ns for path in (tmp_path / "locks").iterdir()]

    assert write_locks(plan(hosts["one"], {"x:1": A})) == []
    assert [path.stat().st_mtime_ns for path in (tmp_path / "locks").iterdir()] == times


@pytest.mark.parametrize("images", [{"x:1": B, "y:1": A}, {"x:1": A, "y:1": A}])
def test_each_host_is_held_to_what_it_was_or_will_be_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: dict[str, ImagePin]
) -> None:
    """Whatever file a run was killed after."""
    hosts = fleet(tmp_path, one={"x:1": A, "y:1": A}, two={"x:1": A})
    if images["x:1"] == B:  # from a fleet that shares it already
        write_locks(plan(hosts["one"], {"x:1": A, "y:1": A}))
    before = {name: read_lock(path).images for name, path in hosts.items()}
    after = {"one": images, "two": {"x:1": A}}
    seen: list[Path] = []

    def watched(path: Path, old: bytes | None, new: bytes) -> None:
        write_file(path, old, new)
        for name, inventory in hosts.items():
            held = {image: read_lock(inventory).images[image] for image in before[name]}
            assert held in (before[name], after[name])
        seen.append(path)

    monkeypatch.setattr("anvil_gen.pin.write_locks.write_file", watched)
    write_locks(plan(hosts["one"], images))

    assert len(seen) >= 2
    assert {name: read_lock(path).images for name, path in hosts.items()} == after


def test_another_host_with_errors_keeps_what_it_has(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, one={"x:1": A}, two={"x:1": A, "z:1": B})
    hosts["two"].write_text("schema = 1\n[tiers.x]\nengine = 3\n", "utf-8")
    write_locks(plan(hosts["one"], {"x:1": A}))

    assert read_lock(hosts["two"]).images == {"x:1": A, "z:1": B}


def test_a_lock_that_somebody_else_writes_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = fleet(tmp_path, one={"x:1": A})
    own = lock_path(hosts["one"])
    old = module._text

    def overtaken(path: Path) -> str | None:
        found = old(path)
        path.write_text("# theirs\n", "utf-8")
        return found

    monkeypatch.setattr(module, "_text", overtaken)
    with pytest.raises(DiagnosticError):
        write_locks(plan(hosts["one"], {"x:1": B}))

    assert own.read_text("utf-8") == "# theirs\n"


def test_nothing_is_written_through_a_link_out_of_the_fleet(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "fleet" / "hosts").mkdir(parents=True)
    (tmp_path / "fleet" / "locks").symlink_to(tmp_path / "outside")
    path = tmp_path / "fleet" / "hosts" / "one.toml"
    path.write_text("schema = 1\n", "utf-8")
    with pytest.raises(DiagnosticError):
        write_locks(plan(path, {"x:1": A}))

    assert [*(tmp_path / "outside").iterdir()] == []


def test_the_name_of_the_fleets_lock_is_taken(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    path = tmp_path / "hosts" / "fleet.toml"
    path.write_text("schema = 1\n", "utf-8")
    with pytest.raises(DiagnosticError) as caught:
        write_locks(plan(path, {}))

    assert [one.code for one in caught.value.diagnostics] == ["name-is-reserved"]
