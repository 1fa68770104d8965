"""The ten edits of docs/review.md: what the plan says of each is what the real Compose does to the containers."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import review_page
from plans import plan_of

from anvil_gen.deploy.pipeline import generator, write_trees
from e2e.box import Box
from e2e.cards import HOSTS

Life = dict[str, tuple[str, str]]
SLEEP = ["/bin/sh", "-c", "exec sleep 3600"]
REMOVAL, RENAMING, OTHER_GPU = "A tier is removed", "A tier gets another name", "Another GPU"
ORDER = [*(title for title in review_page.EDITS if title not in (REMOVAL, RENAMING, OTHER_GPU))]
ORDER += [REMOVAL, OTHER_GPU, RENAMING]
"""One after the other; what removes a tier is taken back, since others edit that tier."""
IMAGES = {
    "example.org/tei:1": "ghcr.io/huggingface/text-embeddings-inference:86-1.9.3",
    "ghcr.io/open-webui/open-webui:v0.6.32": "python:3.13-slim",
}


def adapted(box: Box, text: str) -> dict[str, Any]:
    """Return the inventory for this box: what its services run only sleeps, but for the router."""
    written = tomllib.loads(text)
    ports = {name: tier["port"] for name, tier in written["tiers"].items()}
    inventory = box.adapt(written)
    inventory["hfcache"] = {"path": str(box.folder / "huggingface")}
    inventory["paths"]["models"] = str(box.folder / "models")
    for name, tier in inventory["tiers"].items():
        tier["port"] = box.port(str(ports[name]))
        tier["override"]["entrypoint"] = SLEEP
        for source in tier.get("files", {}).values():
            (box.folder / "hosts" / source).parent.mkdir(parents=True, exist_ok=True)
            (box.folder / "hosts" / source).write_text("template", "utf-8")
        if "file" in tier["model"]:
            (box.folder / "models").mkdir(exist_ok=True)
            (box.folder / "models" / tier["model"]["file"]).touch()
    # Without a first process that passes signals on, a sleep is only killed, after ten seconds.
    inventory["services"]["ui"] |= {"entrypoint": SLEEP, "init": True, "ports": [f"127.0.0.1:{box.port('ui')}:8080"]}
    return inventory


def lives(box: Box) -> Life:
    """Return the id and the start time of each service's container."""
    ids = box.engine.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={box.project}")
    found = json.loads(box.engine.docker("inspect", *ids.split())) if ids else []
    return {
        one["Config"]["Labels"]["com.docker.compose.service"]: (one["Id"], one["State"]["StartedAt"]) for one in found
    }


def observed(before: Life, after: Life) -> dict[str, str]:
    """Return what has happened to each service; a new container of what reloads the router is the router's reload."""
    words = {(True, False): "stop", (False, True): "start", (True, True): "recreate"}
    names = [name for name in before | after if before.get(name) != after.get(name)]
    found = {name: words[name in before, name in after] for name in names}
    return {"router" if name == "router-reload" else name: "reload" if name == "router-reload" else word
            for name, word in found.items()}  # fmt: skip


def planned(box: Box) -> dict[str, str]:
    """Return what the plan says of the default mode's services."""
    plan = plan_of(box.folder, file="hosts/box.toml")
    own = [one for one in plan.services if one.root == "docker-compose.yml"]
    return {one.service: one.consequence.value for one in own if not one.consequence.value.startswith("none")}


def roll_out(box: Box) -> None:
    write_trees([generator().render(box.folder / "hosts" / "box.toml")])
    box.compose("up", "--detach", "--remove-orphans")


def lab_quad(box: Box) -> str:
    """Bring lab-quad up in a box, and return its inventory."""
    box.environment |= {"LAB_ROUTER_TOKEN": "a key", "HF_TOKEN": "a token"}
    for name, image in IMAGES.items():
        box.engine.docker("tag", image, name)
    (box.folder / "huggingface").mkdir(parents=True)
    text = (HOSTS / "lab-quad.toml").read_text("utf-8")
    box.write(adapted(box, text))
    roll_out(box)
    return text


def test_the_ten_edits(box: Box) -> None:
    text = lab_quad(box)
    wrong = {}
    for title in ORDER:
        edited = review_page.edited(text, review_page.EDITS[title])
        before = lives(box)
        box.write(adapted(box, edited))
        told = planned(box)
        roll_out(box)
        seen = observed(before, lives(box))
        assert seen, title
        if told != seen:
            wrong[title] = (told, seen)
        if title == REMOVAL:
            box.write(adapted(box, text))
            roll_out(box)
        else:
            text = edited

    assert wrong == {}
