"""`up` brings a box to what the inventory says, and touches nothing where that cannot be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.box import Box
from e2e.contract.door import Door, served
from e2e.engine import Engine
from e2e.patience import until
from e2e.test_drift import IMAGE, SLEEP, actions, answer, drifts, life, two_tiers
from e2e.test_switching import three_tiers

ORDER = ["die", "destroy", "create", "start"]
"""What happens to a container whose name another one gets."""


def refused(box: Box, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Return the diagnostics of an `up` that touches nothing, by their codes."""
    before = box.engine.docker("ps", "--all", "--no-trunc", "--filter", f"name={box.prefix}", "--format", "{{.ID}}")
    said = answer(box, "up", "box", *arguments, code=1)
    after = box.engine.docker("ps", "--all", "--no-trunc", "--filter", f"name={box.prefix}", "--format", "{{.ID}}")
    assert after == before
    found: dict[str, list[dict[str, Any]]] = {}
    for diagnostic in said["diagnostics"]:
        found.setdefault(diagnostic["code"], []).append(diagnostic)
    return found


@contextmanager
def events_of(engine: Engine, container: str) -> Iterator[list[str]]:
    """Follow the engine's events of a container, which it keeps only few of, up to the start of one after the block."""
    began = engine.docker("info", "--format", "{{.SystemTime}}")
    command = ["docker", "events", "--since", began, "--filter", f"container={container}", "--format", "{{.Action}}"]
    seen: list[str] = []
    with subprocess.Popen(
        command, env={**os.environ, **engine.environment}, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        reading = threading.Thread(target=lambda stream: seen.extend(map(str.strip, stream)), args=(following.stdout,))
        reading.start()
        try:
            yield seen
            until(lambda: ORDER[-1] in seen)
        finally:
            following.terminate()
            reading.join()


def renamed(inventory: dict[str, Any]) -> dict[str, Any]:
    """Return an inventory whose tier `one` is called `uno` now, with all that it had."""
    tiers = {"uno" if name == "one" else name: tier for name, tier in inventory["tiers"].items()}
    return {**inventory, "tiers": tiers}


def test_a_renamed_tier_finds_its_port_and_its_name_free(box: Box, engine: Engine) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    before = life(box, "two")
    box.render(renamed(two_tiers(box)))
    with events_of(engine, box.name("one")) as events:
        done = box.anvil_gen("up", "box")

    assert "+ uno  started\n" in done.stdout
    assert "- one  removed\n" in done.stdout
    assert f"one (container {box.name('one')}) is no longer in the inventory" in done.stderr
    assert life(box, "two") == before
    assert [event for event in events if event in ORDER] == ORDER
    assert actions(answer(box, "up", "box")) == {"uno": "unchanged", "two": "unchanged"}


def test_what_has_gone_may_stay(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    before = life(box, "one", "two")
    del inventory["tiers"]["one"]
    box.render(inventory)

    assert actions(answer(box, "up", "box", "--keep-removed")) == {"two": "unchanged"}
    assert actions(answer(box, "up", "box", "two")) == {"two": "unchanged"}
    assert life(box, "one", "two") == before
    assert actions(answer(box, "up", "box")) == {"two": "unchanged", "one": "removed"}


def test_what_is_in_a_file_of_the_tree_has_not_gone(box: Box) -> None:
    """Not a tier on standby, one with a profile, a service of the user's own file, or a run that was asked for once."""
    inventory = two_tiers(box)
    inventory["tiers"]["one"]["standby"] = True
    inventory["tiers"]["two"]["override"] = {"profiles": ["night"]}
    inventory["tiers"]["three"] = {**inventory["tiers"]["one"], "container_name": box.name("three"), "standby": False}
    inventory["tiers"]["three"]["port"] = box.port("three")
    box.render(inventory)
    own = {"services": {"own": {"image": IMAGE, "entrypoint": SLEEP, "container_name": box.name("own")}}}
    (box.tree / "docker-compose.override.yml").write_text(json.dumps(own))
    box.compose("-f", "tiers/one.yml", "up", "--detach")
    box.compose("--profile", "night", "up", "--detach")
    box.compose("run", "--detach", "--name", box.name("run"), "own")
    names = ("one", "two", "three", "own", "run")
    before = life(box, *names)

    assert actions(answer(box, "up", "box")) == {"two": "unchanged", "three": "unchanged"}
    assert life(box, *names) == before


def test_the_mode_that_runs_goes_on(box: Box) -> None:
    inventory = three_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box", "--mode", "other")
    for tier in inventory["tiers"].values():  # type: ignore[attr-defined]
        tier["environment"] = {"LEVEL": "2"}
    box.render(inventory)

    assert actions(answer(box, "up", "box")) == {"two": "recreated", "spare": "recreated"}
    assert answer(box, "status", "box")["mode"] == "other"
    assert actions(answer(box, "up", "box", "spare")) == {"spare": "unchanged"}
    assert actions(answer(box, "up", "box", "--mode", "default")) == {
        "one": "created",
        "two": "unchanged",
        "spare": "removed",
    }


def test_a_switch_takes_the_port_of_what_it_stops(box: Box) -> None:
    inventory = three_tiers(box)
    inventory["tiers"]["spare"]["port"] = box.port("one")  # type: ignore[index]
    box.render(inventory)
    box.anvil_gen("up", "box")

    assert actions(answer(box, "up", "box", "--mode", "other")) == {
        "two": "unchanged",
        "spare": "created",
        "one": "removed",
    }


def test_all_that_is_in_the_way_is_told_before_anything_is_touched(box: Box, registry: str, tmp_path: Path) -> None:
    """A tier that has left goes on running too, and so does what changes without a hindrance of its own."""
    inventory = two_tiers(box)
    inventory["tiers"]["gone"] = {**inventory["tiers"]["one"], "container_name": box.name("gone")}
    inventory["tiers"]["gone"]["port"] = box.port("gone")
    box.render(inventory)
    box.anvil_gen("up", "box")

    del inventory["tiers"]["gone"]
    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    one = inventory["tiers"]["one"]
    inventory["volumes"] = {"data": {"external": True, "name": box.name("data")}}
    one["port"] = box.port("taken")
    one["image"] = f"{registry}/nothing:1"
    one["mounts"] = {"/data": {"volume": "data"}, "/own": {"source": str(tmp_path / "own")}}
    box.render(inventory)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", box.port("taken")))
        listener.listen()
        found = refused(box)

    assert sorted(found) == ["image-cannot-be-pulled", "missing-external-volume", "missing-folder", "port-is-taken"]
    assert f"docker volume create {box.name('data')}" in found["missing-external-volume"][0]["remedy"]
    del inventory["volumes"], one["mounts"]["/data"]  # Compose itself wants every volume, whatever it starts
    box.render(inventory)
    assert actions(answer(box, "up", "box", "two")) == {"two": "recreated"}


def test_a_variable_without_a_value_touches_nothing(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    inventory["tiers"]["one"]["image"] = {"env": "IMAGE_OF_ONE"}
    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    box.render(inventory)

    assert list(refused(box)) == ["variable-is-not-set"]
    assert list(refused(box, "one")) == ["variable-is-not-set"]


def test_a_router_that_cannot_start_does_not_replace_the_one_that_runs(box: Box) -> None:
    door = Door(box, "haproxy")
    door.up()
    door.wait_for("heavy")
    door.inventory["router"]["port"] = box.port("taken")
    door.inventory["tiers"]["fast"]["environment"] = {"LEVEL": "2"}
    box.render(door.inventory)
    before = life(box, "router", "fast")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", box.port("taken")))
        listener.listen()
        (taken,) = refused(box)["port-is-taken"]

    assert str(box.port("taken")) in taken["detail"]
    assert life(box, "router", "fast") == before
    assert door.chat(served("heavy")).status == 200


def test_one_tier_is_touched_alone_and_the_routes_follow(box: Box) -> None:
    door = Door(box, "haproxy")
    door.up()
    door.wait_for("heavy")
    before = life(box, "router", "heavy", "embed")
    door.inventory["router"]["aliases"] = {"coder": "fast"}
    for tier in ("fast", "embed"):
        door.inventory["tiers"][tier]["environment"] = {"LEVEL": "2"}
    box.render(door.inventory)

    assert actions(answer(box, "up", "box", "fast", "--wait")) == {"fast": "recreated", "router": "reloading"}
    door.wait_for("fast")
    assert door.chat("coder").json["tier"] == served("fast")
    assert life(box, "router", "heavy", "embed") == before

    # What a reload cannot change is left, and said.
    door.inventory["router"]["port"] = box.port("elsewhere")
    door.inventory["router"]["aliases"] = {"coder": "heavy"}
    box.render(door.inventory)
    done = box.anvil_gen("up", "box", "fast")
    assert "warning: router was left as it is\n" in done.stderr
    assert "    anvil-gen up box router\n" in done.stderr
    assert life(box, "router", "heavy", "embed") == before
    assert door.chat("coder").json["tier"] == served("fast")

    # So is a further key, since a container has its variables from its start on.
    door.inventory["router"] |= {
        "port": box.port("router"),
        "api_key_env": {"laptop": "CONTRACT_KEY", "new": "NEW_KEY"},
    }
    box.environment["NEW_KEY"] = "another key"
    box.render(door.inventory)
    done = box.anvil_gen("up", "box", "--wait")
    assert "warning: the router is away for a while\n" in done.stderr
    assert done.stderr.index("the router is away") < done.stderr.index("Recreate")
    assert door.ask("/v1/models", key="another key").status == 200


def test_the_exit_code_is_that_of_the_tier_alone(box: Box) -> None:
    inventory = two_tiers(box)
    inventory["tiers"]["two"] |= {"entrypoint": ["/bin/sh", "-c", "exit 3"]}
    box.render(inventory)

    assert box.anvil_gen("up", "box", "--wait", check=False).code == 1
    assert box.anvil_gen("up", "box", "one", "--wait", check=False).code == 0
    assert box.anvil_gen("up", "box", "two", "--wait", check=False).code == 1


def test_a_tier_that_fails_again_and_again_is_told(box: Box) -> None:
    inventory = two_tiers(box)
    inventory["tiers"]["two"] |= {"entrypoint": ["/bin/sh", "-c", "sleep 0.1; exit 3"]}
    box.render(inventory)
    box.anvil_gen("up", "box")
    until(lambda: box.container("two")["RestartCount"] >= 5)

    said = answer(box, "status", "box", code=2)
    assert drifts(said) == {"one": [], "two": ["failing"]}
    (failing,) = said["services"][1]["drift"]
    assert "times within its start period" in failing["detail"]
    assert failing["remedy"] == "anvil-gen logs box two"
