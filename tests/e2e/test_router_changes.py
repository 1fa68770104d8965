"""The router follows its generated files: a changed route touches it alone, a changed build runs another image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from e2e import web
from e2e.box import Box
from e2e.patience import until
from e2e.test_drift import actions, answer, drifts, life

ROUTERS = Catalog().names("routers")
DOCKERFILE = "templates/routers/anvil/tree/router/build/Dockerfile.j2"


def demo(box: Box, router: str = "anvil") -> dict[str, Any]:
    """Return the demo machine, with a router that is built unless another one is named."""
    inventory = box.adapted("cpu-demo")
    inventory["router"]["kind"] = router
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    return inventory


@pytest.mark.parametrize("router", ROUTERS)
def test_a_changed_route_touches_the_router_alone(box: Box, router: str) -> None:
    inventory = demo(box, router)
    box.render(inventory)
    box.compose("up", "--detach", "--wait")
    before = life(box, "small")
    kind = Catalog().router(router)
    reloads = kind is not None and "reload" in kind.supports

    inventory["router"]["aliases"] = {"talk": "small"}
    box.render(inventory)
    assert "routes" in drifts(answer(box, "status", "box", code=2))["router"] or not reloads
    said = answer(box, "up", "box", "--wait")

    assert actions(said) == {"small": "unchanged", "router": "reloading" if reloads else "recreated"}
    assert all(change["reason"].endswith(" changed") for change in said["services"][1]["changes"])
    assert life(box, "small") == before
    assert drifts(answer(box, "status", "box")) == {"small": [], "router": []}
    assert spoken(box, "talk")


def test_an_alias_does_not_touch_a_tier_that_was_told_its_names(box: Box) -> None:
    """vLLM answers to any name behind this router."""
    inventory = box.adapted("fakoli-dark")
    inventory["tiers"] = {"fast": inventory["tiers"]["fast"]}
    inventory["router"] |= {"kind": "haproxy", "aliases": {"one": "fast"}}
    inventory.pop("experiment", None)
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(inventory)
    box.compose("up", "--detach", "--wait")
    before = life(box, "fast", "router")

    inventory["router"]["aliases"]["two"] = "fast"
    box.render(inventory)
    box.compose("up", "--detach", "--wait")

    assert spoken(box, "two")
    assert life(box, "fast", "router") == before


def test_another_router_is_one_word(box: Box) -> None:
    """Each of them in turn, and back to the first, in front of a tier that never stops."""
    inventory = demo(box, ROUTERS[0])
    box.render(inventory)
    box.compose("up", "--detach", "--wait")
    before = life(box, "small")

    for router in [*ROUTERS[1:], ROUTERS[0]]:
        inventory["router"]["kind"] = router
        box.render(inventory)
        done = actions(answer(box, "up", "box"))
        assert done.pop("router-reload", "removed") == "removed"  # what reloads one router goes with it
        assert done == {"small": "unchanged", "router": "recreated"}
        box.compose("up", "--detach", "--wait")
        assert spoken(box, "chat")
        assert life(box, "small") == before


def spoken(box: Box, model: str, key: str = "a key") -> str:
    """Return what a model says through the router, which may still look for its tier."""
    question = {"model": model, "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8}
    headers = {"Authorization": f"Bearer {key}"}
    port = box.port("router")
    said = until(
        lambda: web.ask(port, "/v1/chat/completions", body=question, headers=headers), lambda said: said.status == 200
    )
    return str(json.loads(said.text)["choices"][0]["message"]["content"])


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
