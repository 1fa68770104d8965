"""The router follows its generated files: a changed route recreates it alone, a changed build runs another image."""

from __future__ import annotations

from typing import Any

from e2e.box import Box
from e2e.test_drift import actions, answer, life

DOCKERFILE = "templates/routers/anvil/tree/router/build/Dockerfile.j2"


def demo(box: Box) -> dict[str, Any]:
    """Return the demo machine, with a router that is built."""
    inventory = box.adapted("cpu-demo")
    inventory["router"]["engine"] = "anvil"
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    return inventory


def test_a_changed_route_recreates_the_router_alone(box: Box) -> None:
    inventory = demo(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    before = life(box, "small")

    inventory["router"]["aliases"] = {"talk": "small"}
    box.render(inventory)
    said = answer(box, "up", "box")

    assert actions(said) == {"small": "unchanged", "router": "recreated"}
    assert [change["reason"] for change in said["services"][1]["changes"]] == ["router.toml changed"]
    assert life(box, "small") == before


def test_a_changed_dockerfile_runs_the_new_image(box: Box) -> None:
    inventory = demo(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    old = box.container("router")

    own = box.folder / DOCKERFILE
    own.parent.mkdir(parents=True)
    rendered = (box.tree / "router" / "build" / "Dockerfile").read_text("utf-8")
    own.write_text(rendered.replace("USER", "LABEL changed=yes\nUSER"), "utf-8")
    box.anvil_gen("render", "box")
    said = answer(box, "up", "box", "router")

    assert actions(said) == {"router": "recreated"}
    new = box.container("router")
    assert new["Config"]["Labels"]["changed"] == "yes"
    assert new["Image"] != old["Image"]
    assert new["Config"]["Image"] != old["Config"]["Image"]
