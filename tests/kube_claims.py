"""What claims of GPUs select, by the expressions that a cluster evaluates."""

from __future__ import annotations

import celpy
from celpy import celtypes
from kube_objects import Object


def selectors(documents: list[Object]) -> dict[str, tuple[str, int]]:
    """Return the selector and the number of devices of each claim."""
    found = {}
    for one in documents:
        spec = one["spec"]["spec"] if one["kind"] == "ResourceClaimTemplate" else one.get("spec", {})
        if one["kind"].startswith("ResourceClaim"):
            (request,) = spec["devices"]["requests"]
            (selector,) = request["exactly"]["selectors"]
            found[one["metadata"]["name"]] = (selector["cel"]["expression"], request["exactly"]["count"])
    return found


def is_selected(expression: str, uuid: str) -> bool:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    attributes = {"gpu.nvidia.com": {"uuid": uuid, "type": "gpu"}}
    device = celpy.json_to_cel({"attributes": attributes})
    return bool(program.evaluate({"device": device}) == celtypes.BoolType(source=True))
