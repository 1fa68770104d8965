"""Weights in external volumes: nothing that Compose is asked to take down takes them along."""

from __future__ import annotations

from e2e.box import Box


def test_down_with_volumes_leaves_the_hub_cache(box: Box) -> None:
    box.environment["LAB_ROUTER_TOKEN"] = "a key"
    inventory = box.adapted("fakoli-dark")
    inventory["tiers"]["fast"]["model"] = {"repo": "org/model"}
    cache = box.name("hfcache")
    box.engine.docker("volume", "create", cache)
    put = 'mkdir -p "$1" && cp /models/*.gguf "$1"'
    models = f"{box.engine.model_folder}:/models:ro"
    shell = ["sh", "-c", put, "sh", "/cache/hub/models--org--model"]
    box.engine.docker("run", "--rm", f"--volume={cache}:/cache", f"--volume={models}", "python:3.13-slim", *shell)
    box.render(inventory)
    box.compose("up", "--detach", "--wait", "fast")
    own = {mount["Name"] for mount in box.container("fast")["Mounts"] if mount["Type"] == "volume"} - {cache}
    box.compose("down", "--volumes")

    left = set(box.engine.docker("volume", "ls", "--quiet").splitlines())
    assert len(own) == 3
    assert not own & left
    assert cache in left
