"""The commands that only wrap Compose, and what they do not take from the shell."""

from __future__ import annotations

import pytest

from e2e.box import Box
from e2e.patience import until
from e2e.test_drift import actions, answer, drifts, life, two_tiers
from e2e.test_switching import three_tiers


def talking(box: Box) -> dict[str, object]:
    """Return an inventory whose tiers say their name."""
    inventory = two_tiers(box)
    for name, tier in inventory["tiers"].items():
        tier["entrypoint"] = ["/bin/sh", "-c", f"echo this is {name}; exec sleep 600"]
    return inventory


def test_restart_runs_the_same_container_again(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    before = life(box, "one", "two")
    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    box.render(inventory)
    box.anvil_gen("restart", "box", "two")
    after = life(box, "one", "two")

    assert after["one"] == before["one"]
    assert after["two"][0] == before["two"][0]
    assert after["two"][1] > before["two"][1]
    assert drifts(answer(box, "status", "box", code=2)) == {"one": [], "two": ["config"]}


def test_logs_are_those_of_the_tiers_that_are_named(box: Box) -> None:
    box.render(talking(box))
    box.anvil_gen("up", "box")

    # What a container prints is in its log a moment later.
    until(lambda: box.anvil_gen("logs", "box").stdout, lambda both: "this is one" in both and "this is two" in both)
    one = box.anvil_gen("logs", "box", "one").stdout
    assert "this is one" in one
    assert "this is two" not in one


def test_down_takes_what_another_mode_has_left(box: Box) -> None:
    box.render(three_tiers(box))
    box.anvil_gen("up", "box", "--mode", "other")
    box.anvil_gen("up", "box", "one")
    box.anvil_gen("down", "box")

    assert box.engine.docker("ps", "--all", "--quiet", "--filter", f"name={box.prefix}") == ""


@pytest.mark.parametrize("verb", ["up", "status", "restart", "logs", "down"])
def test_a_shell_does_not_name_another_project(box: Box, verb: str) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    (box.folder / "other.yml").write_text("services: {other: {image: none}}\n")
    box.environment |= {"COMPOSE_FILE": str(box.folder / "other.yml"), "COMPOSE_PROJECT_NAME": box.name("other")}
    done = box.anvil_gen(verb, "box")

    assert "other" not in done.stdout + done.stderr
    left = box.engine.docker("ps", "--quiet", "--filter", f"name={box.prefix}").split()
    assert len(left) == (0 if verb == "down" else 2)


def test_an_env_file_does_not_name_another_project(box: Box) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    (box.tree / ".env").write_text(f"COMPOSE_PROJECT_NAME={box.name('other')}\n")

    assert actions(answer(box, "up", "box")) == {"one": "unchanged", "two": "unchanged"}
    assert drifts(answer(box, "status", "box")) == {"one": [], "two": []}


def test_a_tree_that_is_reached_by_a_link_is_the_same(box: Box) -> None:
    inventory = two_tiers(box)
    inventory["tiers"]["two"]["files"] = {"/etc/level": "level"}
    (box.folder / "hosts").mkdir()
    (box.folder / "hosts" / "level").write_text("1")
    box.render(inventory)
    box.anvil_gen("up", "box")
    (box.folder / "link").symlink_to(box.folder)
    linked = str(box.folder / "link" / "hosts" / "box.toml")

    assert actions(answer(box, "up", linked)) == {"one": "unchanged", "two": "unchanged"}
    assert drifts(answer(box, "status", linked)) == {"one": [], "two": []}


def test_an_override_beside_the_root_file_counts(box: Box) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    (box.tree / "docker-compose.override.yml").write_text("services: {one: {environment: {MORE: '1'}}}\n")

    assert drifts(answer(box, "status", "box", code=2)) == {"one": ["config"], "two": []}
    assert actions(answer(box, "up", "box")) == {"one": "recreated", "two": "unchanged"}
    assert "MORE=1" in box.container("one")["Config"]["Env"]


def test_status_tells_since_when_a_service_runs(box: Box) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    box.compose("stop", "two")
    one, two = answer(box, "status", "box")["services"]

    assert one["started_at"] == box.container("one")["State"]["StartedAt"]
    assert one["ports"] == [f"127.0.0.1:{box.port('one')}"]
    assert (two["state"], two["started_at"]) == ("exited", "")
