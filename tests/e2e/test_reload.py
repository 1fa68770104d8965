"""Routes change while requests are under way: none is lost, and no stream is cut."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from effort import EFFORT

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.contract.door import DIGEST_KEYS, KEY, Door, served
from e2e.engine import Engine
from e2e.load import Load
from e2e.patience import least, until
from e2e.test_drift import actions, answer, drifts, life

SECONDS = 15 * min(EFFORT, 8)


@pytest.fixture(scope="module")
def door(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Bring up a router that reloads, in front of stubs."""
    with new_box(engine, tmp_path_factory.mktemp("reload")) as box:
        made = Door(box, "haproxy")
        made.inventory["router"]["timeout"] = "1m"  # a busy machine may take longer than the contract's five seconds
        made.up()
        made.wait_for("heavy")
        made.wait_for("fast")
        yield made


def reloads(door: Door) -> None:
    """Bring up what the inventory says, as a user without this tool does."""
    door.box.render(door.inventory)
    door.box.compose("up", "--detach")


def test_nothing_is_lost_while_routes_change(door: Door) -> None:
    """Aliases, limits, clients and a whole tier come and go under load."""
    router = door.inventory["router"]
    spare = {
        **door.inventory["tiers"]["mouth"],
        "container_name": door.box.name("spare"),
        "port": door.box.port("spare"),
    }
    spare["command"] = ["python3", "-u", "/stub_tier.py", str(spare["port"]), served("spare")]
    spare |= {"served_name": served("spare"), "task": "chat"}
    spare["healthcheck"] = {"test": ["CMD", "true"], "interval": "1s"}
    before = door.box.container("router")["State"]["StartedAt"]
    names = (served("heavy"), served("fast"), "coder")
    load = Load(port=door.port, key=KEY, further_keys=(DIGEST_KEYS["phone"],), models=names)
    turns = 0
    with load.running():
        deadline = time.monotonic() + SECONDS
        while turns < 3 or time.monotonic() < deadline:
            turns += 1
            router["aliases"][f"alias-{turns}"] = "fast"
            router["tiers"]["fast"]["timeout"] = f"{turns + 30}s"
            door.inventory["tiers"].pop("spare", None) or door.inventory["tiers"].update(spare=spare)
            change_clients(router["api_key_sha256"], turns)
            reloads(door)
            time.sleep(1)
            answers_soon(door, 200, f"guest {turns}", f"pad {turns}")
            answers_soon(door, 401, f"guest {turns - 1}", f"pad {turns - 1}")
            router["aliases"].pop(f"alias-{turns}")

    assert load.failed == []
    assert load.answered > SECONDS * load.rate / 20  # a busy machine sends far fewer than it is told
    assert load.whole >= load.streams
    assert door.box.container("router")["State"]["StartedAt"] == before


def change_clients(digests: dict[str, str], turn: int) -> None:
    """Add one, take the one of the turn before out, and give one that stays another key."""
    digests.pop(f"guest-{turn - 1}", None)
    digests[f"guest-{turn}"] = sha256(f"guest {turn}".encode()).hexdigest()
    digests["pad"] = sha256(f"pad {turn}".encode()).hexdigest()


def answers_soon(door: Door, status: int, *keys: str) -> None:
    """Wait until each of the keys is answered so: a reload is under way when Compose is done."""
    until(lambda: [door.ask("/v1/models", key=key).status for key in keys], lambda found: found == [status] * len(keys))


def test_an_alias_takes_no_time_and_cuts_no_stream(door: Door) -> None:
    """The stream is longer than any grace period, and the port answers all the while."""

    def longest_gap() -> float:
        alias = f"new-{secrets.token_hex(2)}"
        stream = door.stream(served("fast"), {"chunks": 50, "delay": 0.1})
        next(stream)
        load = Load(port=door.port, key=KEY, models=(served("heavy"),), rate=50, streams=0)
        with load.running():
            door.inventory["router"]["aliases"][alias] = "heavy"
            reloads(door)
            time.sleep(1)
        assert load.failed == []
        assert len([event for _, event in stream if event["choices"]]) == 50
        until(lambda: alias in {model["id"] for model in door.ask("/v1/models").json["data"]})
        return load.longest_gap

    assert least(longest_gap, 2) < 2


def test_the_same_again_touches_nothing(door: Door) -> None:
    reloads(door)
    before = [door.box.container(name)["State"]["StartedAt"] for name in ("router", "router-reload")]
    reloads(door)

    assert [door.box.container(name)["State"]["StartedAt"] for name in ("router", "router-reload")] == before


def test_a_broken_file_changes_nothing_and_is_told(door: Door) -> None:
    own = door.box.folder / "templates" / "routers" / "haproxy" / "tree" / "router" / "haproxy.cfg.j2"
    own.parent.mkdir(parents=True, exist_ok=True)
    shipped = Path(__file__).parents[2] / own.relative_to(door.box.folder)
    own.write_text(
        shipped.read_text("utf-8").replace("    maxconn 4000\n", "    maxconn 4001\n    nonsense\n"), "utf-8"
    )
    try:
        door.box.render(door.inventory)
        done = door.box.compose("up", "--detach", "--wait", check=False)
        assert done.code == 1
        assert door.chat(served("heavy")).status == 200
        until(lambda: "nonsense" in door.box.engine.docker("logs", door.box.name("router-reload")))
    finally:
        own.unlink()
    door.up()
    assert door.chat(served("heavy")).status == 200


def test_a_restarted_router_is_reloaded_again(door: Door) -> None:
    door.box.engine.docker("restart", door.box.name("router"))
    web.wait_for(door.port)
    alias = f"newer-{secrets.token_hex(2)}"
    door.inventory["router"]["aliases"][alias] = "heavy"
    door.up()

    assert alias in {model["id"] for model in door.ask("/v1/models").json["data"]}


def test_another_mode_is_a_reload_too(box: Box) -> None:
    """A stream of a tier that both modes run goes on, and the router is the same."""
    door = Door(box, "haproxy")
    door.inventory["tiers"]["embed"]["standby"] = True
    door.inventory["modes"] = {"night": {"tiers": ["fast", "embed"], "aliases": {"coder": "fast", "vectors": "embed"}}}
    router = door.inventory["router"]
    router["aliases"] = {"coder": "heavy"}
    router.pop("tiers")
    door.up()
    before = life(box, "router", "fast")
    stream = door.stream(served("fast"), {"chunks": 100, "delay": 0.1})
    next(stream)

    there = answer(box, "up", "box", "--mode", "night", "--wait")
    assert actions(there)["router"] == "reloading"
    assert door.chat("coder").json["tier"] == served("fast")
    assert door.chat(served("heavy")).status == 404
    assert drifts(answer(box, "status", "box"))["router"] == []

    box.compose("up", "--detach", "--wait")
    door.wait_for("heavy")
    assert door.chat("coder").json["tier"] == served("heavy")
    assert len([event for _, event in stream if event["choices"]]) == 100
    assert life(box, "router", "fast") == before
