"""A second host: a project of its own with a router, which the first one's router reaches by the machine's address."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

import running

from e2e.box import SOON_AND_PATIENT, Box, toml_text
from e2e.contract.door import IMAGE, STUB, Door
from e2e.contract.registry import variant
from e2e.patience import until

KEY_THERE = "the other's, with % and \" in it"
BOTH, THERE = "shared-model", "quad-model"


@variant
def hosts(door: Door) -> None:
    """A model of another host is listed, and answers."""
    bring_up(door.box, "quad", second_host(door.box))
    door.inventory["router"]["hosts"] = ["quad"]
    door.up()
    assert THERE in {model["id"] for model in door.ask("/v1/models").json["data"]}
    # A router that has just started may still look for the other one.
    assert until(lambda: door.chat(THERE), lambda reply: reply.status == 200).json["tier"] == THERE


def second_host(box: Box) -> dict[str, Any]:
    """Return the inventory of another host."""
    (network,) = json.loads(box.engine.docker("network", "inspect", "bridge"))
    box.environment["QUAD_KEY"] = KEY_THERE
    keys = {"bind": "0.0.0.0", "api_key_env": {"box": "QUAD_KEY"}, "aliases": {BOTH: "two"}}
    return {
        "schema": 1,
        "host": {"project": f"{box.project}-quad", "address": network["IPAM"]["Config"][0]["Gateway"]},
        "tiers": {"two": stub(box, "two", THERE, BOTH)},
        "router": router(box, "quad", **keys),
    }


def stub(box: Box, name: str, *names: str) -> dict[str, Any]:
    """Return a tier that answers to some names."""
    port = box.port(name)
    return {
        "engine": "custom",
        "image": IMAGE,
        "served_name": names[0],
        "container_name": box.name(name),
        "port": port,
        "stop_grace_period": "1s",
        "command": ["python3", "-u", "/stub_tier.py", str(port), *names],
        "files": {"/stub_tier.py": STUB.name},
        "healthcheck": {"test": ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], **SOON_AND_PATIENT},
    }


def router(box: Box, name: str, **more: Any) -> dict[str, Any]:
    """Return a router under a name of its own."""
    override = {"healthcheck": SOON_AND_PATIENT}
    return {"container_name": box.name(name), "port": box.port(name), "override": override, **more}


def bring_up(box: Box, host: str, inventory: Mapping[str, Any]) -> None:
    """Render a host of the box's fleet, and bring it up."""
    running.fleet(box.folder, **{host: toml_text(inventory)})
    shutil.copy(STUB, box.folder / "hosts" / STUB.name)
    box.anvil_gen("render", host)
    folder = box.folder / "deploy" / host
    box.engine.run("docker", "compose", "up", "--detach", "--wait", cwd=folder, env=box.environment)
