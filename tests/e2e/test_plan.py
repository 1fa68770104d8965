"""What `plan` says before an `up` is what happens: start times and ids of containers, on the real engine."""

from __future__ import annotations

import json

from e2e.box import Box
from e2e.test_drift import life, two_tiers


def told(box: Box, *, code: int) -> dict[str, str]:
    """Return what a plan against the running containers says of each service."""
    done = box.anvil_gen("plan", "box", "--against", "live", "--format", "json", check=False)
    assert done.code == code, done.stdout + done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    return {service["service"]: service["consequence"] for service in host["services"]}


def test_against_the_containers(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    assert told(box, code=2) == {"one": "start", "two": "start"}
    box.anvil_gen("up", "box")
    assert told(box, code=0) == {}

    before = life(box, "one", "two")
    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    box.render(inventory)
    assert told(box, code=2) == {"two": "recreate"}
    box.anvil_gen("up", "box")
    after = life(box, "one", "two")
    assert {name for name in before if before[name] != after[name]} == {"two"}

    box.engine.docker("stop", "--time", "1", box.name("one"))
    assert told(box, code=2) == {"one": "start"}
    del inventory["tiers"]["one"]
    box.render(inventory)
    assert told(box, code=2) == {"one": "stop"}
