"""Tiers are swapped, and merges taken back, by the verbs that docs/running.md names: no request is lost."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from effort import EFFORT

from e2e.box import Box
from e2e.contract.door import KEY, Door, served
from e2e.load import Load
from e2e.test_drift import actions, answer, drifts, life

REQUESTS = 10_000 if EFFORT > 1 else 500
RATE = 50
REPLACED = "com.docker.compose.replace"


def two(box: Box) -> Door:
    """Return a router before two tiers that restart with the daemon, under the alias that clients use."""
    door = Door(box, "haproxy")
    door.inventory["tiers"] = {
        name: {**door.inventory["tiers"][name], "restart": "unless-stopped"} for name in ("heavy", "fast")
    }
    keys = ("kind", "container_name", "port", "override")
    router = {key: door.inventory["router"][key] for key in keys}
    door.inventory["router"] = {**router, "api_key_env": "CONTRACT_KEY", "aliases": {"coder": "heavy"}}
    return door


def test_a_tier_is_replaced_by_another_and_no_request_fails(box: Box) -> None:
    """The new tier comes up next to the old one, gets the alias, and the old one goes."""
    door = two(box)
    new = door.inventory["tiers"].pop("fast")
    door.up()
    door.wait_for("heavy")
    load = Load(port=door.port, key=KEY, models=("coder",), rate=RATE, streams=4)
    with load.running():
        door.inventory["tiers"]["fast"] = new
        box.render(door.inventory)
        box.anvil_gen("up", "box", "--wait")
        assert door.chat("coder").json["tier"] == served("heavy")

        door.inventory["router"]["aliases"]["coder"] = "fast"
        box.render(door.inventory)
        box.anvil_gen("up", "box", "--wait")
        assert door.chat("coder").json["tier"] == served("fast")

        load.let_finish()  # what the old one is still answering
        box.anvil_gen("down", "box", "heavy")
        del door.inventory["tiers"]["heavy"]
        box.render(door.inventory)
        box.anvil_gen("up", "box", "--wait")
        while load.answered < REQUESTS and not load.failed:
            time.sleep(0.1)

    assert load.failed == []
    assert load.whole > 0
    assert [model["id"] for model in door.ask("/v1/models").json["data"]] == [served("fast"), "coder"]


def git(box: Box, *arguments: str) -> None:
    identity = ("-c", "user.name=fleet", "-c", "user.email=fleet@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=box.folder, check=True, capture_output=True, timeout=60)


def merged(box: Box, inventory: dict[str, Any]) -> None:
    """Render an inventory on a branch, and merge that, as a pull request is."""
    git(box, "switch", "--create", "change")
    box.render(inventory)
    git(box, "add", "--all")
    git(box, "commit", "--message", "Change a tier and its alias")
    git(box, "switch", "-")
    git(box, "merge", "--no-ff", "--message", "Merge the change", "change")


def test_a_reverted_merge_gives_the_old_containers_back(box: Box) -> None:
    door = two(box)
    door.up()
    git(box, "init", "--quiet")
    git(box, "add", "--all")
    git(box, "commit", "--message", "Begin")
    names = ("heavy", "fast", "router")
    before = {name: box.container(name) for name in names}

    door.inventory["tiers"]["heavy"]["environment"] = {"LEVEL": "2"}
    door.inventory["router"]["aliases"] = {"coder": "fast"}
    merged(box, door.inventory)
    assert actions(answer(box, "up", "box", "--wait"))["heavy"] == "recreated"
    assert "LEVEL=2" in box.container("heavy")["Config"]["Env"]
    assert door.chat("coder").json["tier"] == served("fast")

    git(box, "revert", "--mainline", "1", "--no-edit", "HEAD")
    lives = life(box, "fast", "router")
    done = answer(box, "up", "box", "--wait")
    assert actions(done) == {"heavy": "recreated", "fast": "unchanged", "router": "reloading"}
    assert life(box, "fast", "router") == lives
    assert all(box.container(name)["Config"] == before[name]["Config"] for name in ("fast", "router"))
    assert settings(box.container("heavy")) == settings(before["heavy"])
    door.wait_for("heavy")
    assert door.chat("coder").json["tier"] == served("heavy")
    assert all(drift == [] for drift in drifts(answer(box, "status", "box")).values())


def settings(container: dict[str, Any]) -> dict[str, Any]:
    """Return what a container was made of: without its own name, and without that of the one that it replaced."""
    made = {key: value for key, value in container["Config"].items() if key != "Hostname"}
    return {**made, "Labels": {key: value for key, value in made["Labels"].items() if key != REPLACED}}
