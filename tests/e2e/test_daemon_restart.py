"""A host's daemon is started again: router, routes and tiers are back as they were, by themselves."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import web
from e2e.conftest import new_box
from e2e.contract.door import IMAGE, served
from e2e.daemon import Daemon
from e2e.engine import Engine, link_compose
from e2e.materials import materials
from e2e.test_drift import answer, drifts, life
from e2e.test_swap import two

IMAGES = (IMAGE, "haproxy:3.4")


@pytest.fixture
def daemon(engine: Engine, tmp_path: Path) -> Iterator[Daemon]:
    """Start a daemon of the test's own, with the images of the shared one."""
    with tempfile.TemporaryDirectory(prefix="anvil-gen-", dir="/run") as folder:
        made = Daemon(tmp_path / "data", Path(folder) / "run")
        made.start({})
        link_compose(made.run / "docker")
        archive = tmp_path / "images.tar"
        engine.docker("save", "--output", str(archive), *IMAGES)
        command = ["docker", "--host", made.host, "load", "--input", str(archive)]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        try:
            yield made
        finally:
            made.stop()


def test_a_restarted_daemon_has_everything_back(daemon: Daemon, tmp_path: Path) -> None:
    """The routes were reloaded before, so that the router's first ones do not count; then they are reloaded again.

    Docker may start the service that reloads too early, and not again: `status` says so, and the next `up` starts it.
    """
    own = Engine(daemon, materials())
    (tmp_path / "box").mkdir()
    with new_box(own, tmp_path / "box") as box:
        door = two(box)
        with daemon.inside():
            door.up()
            door.inventory["router"]["aliases"]["coder"] = "fast"
            door.up()
            door.wait_for("fast")
            assert door.chat("coder").json["tier"] == served("fast")
        daemon.stop()
        daemon.start({})
        with daemon.inside():
            web.wait_for(door.port)
            door.wait_for("heavy")
            door.wait_for("fast")
            assert door.chat("coder").json["tier"] == served("fast")
            before = life(box, "router", "heavy", "fast")
            # As Docker leaves it in some restarts, and not in others.
            own.docker("stop", "--time", "0", box.name("router-reload"))
            assert drifts(answer(box, "status", "box", code=2))["router"] == ["routes"]
            box.anvil_gen("up", "box")
            assert drifts(answer(box, "status", "box"))["router"] == []
            door.inventory["router"]["aliases"]["coder"] = "heavy"
            door.up()
            assert door.chat("coder").json["tier"] == served("heavy")
            assert life(box, "router", "heavy", "fast") == before
