"""The ground that the other tests stand on: what a box makes goes, and the engine keeps clear of the machine."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from e2e import images
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine


def test_all_that_a_box_makes_goes_with_it(engine: Engine, tmp_path: Path) -> None:
    def made() -> str:
        lists = [["container", "ls", "--all"], ["network", "ls"], ["volume", "ls"], ["image", "ls"]]
        return "\n".join(engine.docker(*arguments) for arguments in lists)

    with new_box(engine, tmp_path) as box:
        engine.docker("network", "create", box.name("net"))
        engine.docker("volume", "create", box.name("data"))
        engine.docker("tag", "python:3.13-slim", box.name("image"))
        engine.docker(
            "run",
            "--detach",
            f"--name={box.name('c')}",
            f"--network={box.name('net')}",
            "python:3.13-slim",
            "sleep",
            "60",
        )
        during = made()

    assert all(box.name(what) in during for what in ("net", "data", "image", "c"))
    assert box.prefix not in made()


def test_every_stand_in_image_is_there(engine: Engine) -> None:
    assert all(engine.docker("image", "inspect", "--format={{.Id}}", name) for name in images.names())


def test_another_process_of_the_clone_shares_the_engine(engine: Engine, box: Box) -> None:
    engine.docker("volume", "create", box.name("shared"))
    packages = {"PYTHONPATH": str(Path(__file__).parents[1])}
    listed = engine.run(sys.executable, "-m", "e2e", "docker", "volume", "ls", "--quiet", env=packages).stdout

    assert box.name("shared") in listed
    assert box.name("shared") in engine.docker("volume", "ls", "--quiet")


def test_the_registry_takes_and_gives_images(engine: Engine, registry: str, box: Box) -> None:
    name = f"{registry}/{box.name('small')}:1"
    with tarfile.open(box.folder / "small.tar", "w") as archive:
        archive.add(__file__, "a-file")
    engine.docker("import", str(box.folder / "small.tar"), name)
    before = engine.inspect(name)["Id"]
    engine.docker("push", name)
    engine.docker("image", "rm", name)
    engine.docker("pull", name)

    assert engine.inspect(name)["Id"] == before


def test_the_machine_is_out_of_reach(engine: Engine) -> None:
    links = engine.run("ip", "-brief", "link").stdout

    assert "eth0@" not in links
    assert {line.split()[0] for line in links.splitlines()} >= {"lo", "docker0"}
