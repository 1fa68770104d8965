"""`pin` and `outdated` against a real registry on loopback and a stub of the Hugging Face Hub."""

from __future__ import annotations

import json

from pin_servers import DOCKER_MANIFEST, Front, HubModel, HubStub, Registry

from anvil_gen.fit.facts_source import locked_facts
from anvil_gen.fit.model_facts import Attention
from e2e.pin.fleet import COMMIT_A, COMMIT_B, CONFIG, INVENTORY, Fleet


def test_a_host_is_pinned_and_rendered_by_its_lock(fleet: Fleet, registry: Registry, images: str) -> None:
    digest = registry.push_list(f"{images}/vllm", "v0.9.1", "amd64", "arm64")
    printed = fleet.run("pin", "box")
    lock, text = fleet.lock(), fleet.text()
    fleet.run("render", "box")
    tier = (fleet.folder / "deploy" / "box" / "tiers" / "own.yml").read_text("utf-8")

    assert lock["images"][f"{fleet.registry}/vllm:v0.9.1"] == {
        "digest": digest,
        "platforms": ["linux/amd64", "linux/arm64"],
    }
    assert lock["models"]["org/own@v1"] == {"commit": COMMIT_B, "gated": "manual"}
    facts = locked_facts(fleet.folder / "hosts" / "box.toml")["org/chat"]
    assert (facts.commit, facts.architecture, facts.layers) == (COMMIT_A, "LlamaForCausalLM", "F*32")
    assert (facts.attention, facts.bytes.language) == (Attention(kv_heads=8, head_dim=128), 64)
    assert "\nfacts.max_context = 131072\n" in text
    assert "# Not held: services.ui.image: the image is in a variable: UI_IMAGE\n" in text
    assert f'moves with each one.\n[images."{fleet.registry}/redis:latest"]' in text
    assert 'account with access.\n[models."org/own@v1"]' in text
    assert f"image: {fleet.registry}/vllm:v0.9.1@{digest}" in tier.replace('"', "")
    assert f"--revision={COMMIT_B}" in tier
    assert "not held: services.ui.image" in printed


def test_a_model_that_is_open_says_that_it_brings_code(fleet: Fleet, hub: HubStub) -> None:
    hub.access = fleet.variables["BOX_TOKEN"] = "secret-of-the-box"
    fleet.run("pin", "box")

    assert fleet.lock()["models"]["org/own@v1"] == {"commit": COMMIT_B, "code": True, "gated": "manual"}
    assert "It brings code of its own" in fleet.text()
    assert "secret-of-the-box" not in fleet.text()


def test_what_is_pinned_stays_until_it_is_updated(fleet: Fleet, registry: Registry, images: str) -> None:
    fleet.run("pin", "box")
    before = fleet.text()
    moved = registry.push_list(f"{images}/vllm", "v0.9.1", "arm64", "amd64")

    assert "nothing changed" in fleet.run("pin", "box")
    assert fleet.text() == before
    fleet.run("pin", "box", "--update", "cache")
    assert fleet.text() == before
    fleet.run("pin", "box", "--update", "chat")
    assert fleet.lock()["images"][f"{fleet.registry}/vllm:v0.9.1"]["digest"] == moved
    assert "unknown tier" in fleet.run("pin", "box", "--update", "chatt", code=1)


def test_check_tells_where_lock_and_inventory_differ_and_asks_nobody(fleet: Fleet, front: Front, hub: HubStub) -> None:
    fleet.run("pin", "box", "--check", code=2)
    fleet.run("pin", "box")
    front.asked.clear()
    hub.asked.clear()
    fleet.run("pin", "box", "--check")
    fleet.add(
        "box", INVENTORY.replace("org/chat", "org/other").replace("[services.cache]\nimage", "[services.c]\nimage")
    )
    before = fleet.text()
    answer = json.loads(fleet.run("pin", "--all", "--check", "--json", code=2))
    changes = [(one["action"], one["name"], one["owners"]) for one in answer["hosts"][0]["changes"]]

    assert changes == [("remove", "org/chat", []), ("add", "org/other", ["chat"])]
    assert fleet.text() == before
    assert front.asked + hub.asked == []


def test_what_hosts_have_alike_is_in_the_lock_of_the_fleet(fleet: Fleet, registry: Registry, images: str) -> None:
    fleet.add("other", INVENTORY.replace("[tiers.own]", "[tiers.third]").partition("[services")[0])
    fleet.run("pin", "--all")
    name = f"{fleet.registry}/vllm:v0.9.1"

    assert [*fleet.lock("fleet")["images"]] == [name]
    assert "images" not in fleet.lock("other")
    assert [*fleet.lock("box")["images"]] == [f"{fleet.registry}/redis:latest"]
    for host in ("box", "other"):
        fleet.run("pin", host, "--check")
    old = fleet.lock("fleet")["images"][name]["digest"]
    new = registry.push_list(f"{images}/vllm", "v0.9.1", "arm64", "amd64")
    fleet.run("pin", "box", "--update", "chat")

    assert fleet.lock("box")["images"][name]["digest"] == new
    assert fleet.lock("other")["images"][name]["digest"] == old
    assert "images" not in fleet.lock("fleet")
    fleet.run("pin", "--all", "--update-all")
    assert fleet.lock("fleet")["images"][name]["digest"] == new


def test_outdated_tells_what_moved_what_is_newer_and_what_is_gone(
    fleet: Fleet, registry: Registry, images: str, hub: HubStub
) -> None:
    assert "not held" in fleet.run("outdated", "box", code=2)
    fleet.run("pin", "box")
    assert fleet.run("outdated", "box") == "box: up to date\n"
    old = fleet.lock()["images"][f"{fleet.registry}/redis:latest"]["digest"]
    registry.push(f"{images}/redis", "latest", form=DOCKER_MANIFEST)
    registry.remove(f"{images}/redis", old)
    registry.push(f"{images}/vllm", "v0.10.0")
    registry.push(f"{images}/vllm", "v0.10.0-cu130")
    hub.models["org/chat"] = HubModel({"main": COMMIT_B}, CONFIG)
    (answer,) = json.loads(fleet.run("outdated", "box", "--json", code=2))["hosts"]
    by_name = {one["name"].rpartition("/")[2]: one for one in answer["pins"]}
    printed = fleet.run("outdated", "box", code=2)

    assert by_name["redis:latest"]["gone"] is True
    assert by_name["redis:latest"]["newer"] is None
    assert by_name["vllm:v0.9.1"]["newer"] == {"tag": "v0.10.0", "breaks": []}
    assert by_name["vllm:v0.9.1"]["held"] == by_name["vllm:v0.9.1"]["now"]
    assert (by_name["chat"]["held"], by_name["chat"]["now"]) == (COMMIT_A, COMMIT_B)
    assert "its registry no longer has the old one" in printed
    assert "newer: v0.10.0\n" in printed
    assert "3 of 4 to look at" in printed


def test_a_render_asks_nobody(fleet: Fleet, front: Front, hub: HubStub) -> None:
    fleet.run("pin", "box")
    front.asked.clear()
    hub.asked.clear()
    fleet.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
    fleet.run("render", "box")

    assert front.asked + hub.asked == []
