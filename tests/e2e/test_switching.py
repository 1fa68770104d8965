"""Modes on one running project: switching stops, keeps and starts exactly what it should."""

from __future__ import annotations

from e2e.box import Box
from e2e.test_drift import actions, answer, drifts, life, two_tiers


def three_tiers(box: Box) -> dict[str, object]:
    """Return an inventory whose second mode swaps one tier for another."""
    inventory = two_tiers(box)
    spare = {**inventory["tiers"]["one"], "container_name": box.name("spare"), "standby": True}
    inventory["tiers"]["spare"] = {**spare, "port": box.port("spare")}
    inventory["modes"] = {"other": {"tiers": ["two", "spare"]}}
    return inventory


def test_switching_there_and_back(box: Box) -> None:
    box.render(three_tiers(box))
    assert actions(answer(box, "up", "box")) == {"one": "created", "two": "created"}
    before = life(box, "two")

    there = actions(answer(box, "up", "box", "--mode", "other"))
    assert there == {"two": "unchanged", "spare": "created", "one": "removed"}
    said = answer(box, "status", "box")
    assert (said["mode"], drifts(said)) == ("other", {"two": [], "spare": []})

    back = actions(answer(box, "up", "box", "--mode", "default"))
    assert back == {"one": "created", "two": "unchanged", "spare": "removed"}
    assert life(box, "two") == before


def test_services_are_switched_with_what_they_need(box: Box) -> None:
    """Two services have one port and one secret: each runs in the mode of the tier that it needs."""
    inventory = three_tiers(box)
    sleeping = {"image": "python:3.13-slim", "command": ["sleep", "3600"], "init": True, "secrets": ["key"]}
    port = [f"127.0.0.1:{box.port('page')}:80"]
    inventory["secrets"] = {"key": {"file": "key.txt"}}
    inventory["services"] = {
        "page": {**sleeping, "ports": port, "depends_on": ["one"]},
        "spare-page": {**sleeping, "ports": port, "depends_on": ["spare"], "standby": True},
    }
    inventory["modes"] = {"other": {"tiers": ["two", "spare"], "services": ["spare-page"]}}
    box.render(inventory)
    (box.folder / "hosts" / "key.txt").write_text("x", "utf-8")

    assert actions(answer(box, "up", "box")).keys() == {"one", "two", "page"}
    there = actions(answer(box, "up", "box", "--mode", "other"))
    assert there == {
        "two": "unchanged",
        "spare": "created",
        "spare-page": "created",
        "one": "removed",
        "page": "removed",
    }
    said = answer(box, "status", "box")
    assert (said["mode"], drifts(said)) == ("other", {"two": [], "spare": [], "spare-page": []})


def test_a_tier_of_another_mode_is_named_with_its_mode(box: Box) -> None:
    box.render(three_tiers(box))
    done = box.anvil_gen("up", "box", "spare", check=False)

    assert done.code == 1
    assert "    anvil-gen up box spare --mode other\n" in done.stderr


def test_a_container_of_another_mode_is_told(box: Box) -> None:
    box.render(three_tiers(box))
    box.anvil_gen("up", "box", "--mode", "other")
    box.anvil_gen("up", "box", "one")

    said = answer(box, "status", "box", "--mode", "default", code=2)
    assert drifts(said) == {"one": [], "two": [], "spare": ["unknown"]}


def test_stopping_one_tier_leaves_the_others(box: Box) -> None:
    box.render(three_tiers(box))
    box.anvil_gen("up", "box")
    before = life(box, "two")
    box.anvil_gen("down", "box", "one")

    assert life(box, "two") == before
    states = {row["service"]: row["state"] for row in answer(box, "status", "box")["services"]}
    assert states == {"one": "absent", "two": "running"}
