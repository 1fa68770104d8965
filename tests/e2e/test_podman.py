"""The demo machine under Podman and systemd: a real model answers, and the verbs do what they say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from running import Result

from e2e.box import Box, toml_text
from e2e.engine import Engine
from e2e.materials import podman_machine
from e2e.podman_machine import PodmanMachine

KEY = "a key of the test"
AGAIN_SECONDS = 90
QUESTION = {"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 16}


class Demo:
    """A fleet whose one host is a machine with Podman."""

    def __init__(self, machine: PodmanMachine, box: Box) -> None:
        self.machine = machine
        self.box = box
        self.inventory = box.adapted("cpu-demo")
        self.inventory["host"]["target"] = "quadlet"
        other = {"port": box.port("other"), "container_name": box.name("other"), "served_name": "other"}
        self.inventory["tiers"]["other"] = {**self.inventory["tiers"]["small"], **other, "standby": True}
        self.inventory["modes"] = {"night": {"tiers": ["other"]}}

    def anvil_gen(self, *arguments: str, check: bool = True) -> Result:
        return self.machine.anvil_gen(*arguments, cwd=self.box.folder, check=check)

    def render(self) -> None:
        self.box.write(toml_text(self.inventory))
        self.anvil_gen("render", "box")

    def ask(self, model: str, key: str = KEY) -> tuple[int, Any]:
        """Ask the router as a client on the machine does; return the status and the answer."""
        url = f"http://127.0.0.1:{self.box.port('router')}/v1/chat/completions"
        headers = ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
        body = json.dumps({"model": model, **QUESTION})
        done = self.machine.run("curl", "-sS", "-w", "\n%{http_code}", *headers, "-d", body, url, check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(text) if text else None

    def started(self, name: str) -> str:
        """Return when a container was started; nothing where it does not run."""
        form = "--format={{.State.StartedAt}}"
        return self.machine.run("podman", "inspect", form, self.box.name(name), check=False).stdout

    def unit(self, name: str) -> str:
        """Return the state of a unit."""
        unit = f"{self.box.project}-{name}.service"
        return self.machine.run("systemctl", "is-active", unit, check=False).stdout.strip()


@pytest.fixture(scope="module")
def demo(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Bring the demo machine up, once for all tests here."""
    with engine.outside():
        root = podman_machine()
    # Not below /tmp: generators of systemd have one of their own.
    with TemporaryDirectory(prefix="anvil-gen-e2e-", dir="/run") as name:
        folder, images = Path(name), tmp_path_factory.mktemp("images")
        machine = PodmanMachine(root, tmp_path_factory.mktemp("machine"), [folder, images, engine.model_folder])
        found = Demo(machine, Box(engine, folder))
        try:
            machine.start()
            found.render()
            engine.docker("save", "--output", str(images / "all.tar"), *_images(folder))
            machine.run("podman", "load", "--quiet", "--input", str(images / "all.tar"))
            # In such a file, an image of Docker's own registry has no registry.
            machine.run("podman", "tag", "localhost/haproxy:3.4", "docker.io/library/haproxy:3.4")
            machine.run("sh", "-euc", f'printf %s "{KEY}" | podman secret create ANVIL_ROUTER_TOKEN -')
            found.anvil_gen("up", "box", "--wait")
            yield found
        finally:
            machine.stop()


def _images(folder: Path) -> list[str]:
    lines = [line for path in folder.rglob("*.container") for line in path.read_text("utf-8").splitlines()]
    return sorted({line.removeprefix("Image=") for line in lines if line.startswith("Image=")})


@pytest.mark.parametrize("model", ["chat", "smollm2-135m-instruct"])
def test_the_model_answers_through_the_router(demo: Demo, model: str) -> None:
    status, answer = demo.ask(model)

    assert status == 200, answer
    assert 1 <= answer["usage"]["completion_tokens"] <= 16
    assert answer["model"] == "smollm2-135m-instruct"


def test_a_wrong_key_and_an_unknown_model_are_refused(demo: Demo) -> None:
    assert demo.ask("chat", key="another key")[0] == 401
    assert demo.ask("no-such-model")[0] == 404


def test_status_and_logs_are_those_of_systemd(demo: Demo) -> None:
    status = demo.anvil_gen("status", "box").stdout
    logs = demo.anvil_gen("logs", "box", "small").stdout

    assert status.count(" running ") == 3
    assert "listening on" in logs


def test_another_alias_is_a_reload(demo: Demo) -> None:
    before = demo.started("router"), demo.started("small")
    demo.inventory["router"]["aliases"]["more"] = "small"
    demo.render()

    demo.anvil_gen("up", "box", "--wait")

    assert demo.ask("more")[0] == 200
    assert (demo.started("router"), demo.started("small")) == before


def test_a_container_that_ends_is_started_again(demo: Demo) -> None:
    before = demo.started("small")
    demo.machine.run("podman", "kill", demo.box.name("small"))

    deadline = time.monotonic() + AGAIN_SECONDS
    while demo.started("small") in ("", before) or demo.ask("chat")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_up_tells_that_a_tier_does_not_start(demo: Demo) -> None:
    flags = demo.inventory["tiers"]["small"].setdefault("flags", {})
    flags["no-such-flag"] = True
    demo.inventory["tiers"]["small"]["flag_check"] = False
    demo.render()

    failed = demo.anvil_gen("up", "box", "--wait", check=False)
    del flags["no-such-flag"]
    demo.render()
    demo.anvil_gen("up", "box", "--wait")

    assert failed.code != 0
    assert f"{demo.box.project}-small.service" in failed.stderr
    assert demo.ask("chat")[0] == 200


def test_a_mode_stops_what_never_runs_with_it(demo: Demo) -> None:
    demo.anvil_gen("up", "box", "--mode", "night", "--wait")
    night = demo.ask("other")[0], demo.unit("other"), demo.unit("small")
    demo.anvil_gen("up", "box", "--wait")

    assert night == (200, "active", "inactive")
    assert (demo.ask("chat")[0], demo.unit("other"), demo.unit("small")) == (200, "inactive", "active")


def test_down_stops_everything(demo: Demo) -> None:
    demo.anvil_gen("down", "box")

    assert [demo.unit(name) for name in ("small", "router", "router-reload")] == ["inactive"] * 3
    assert demo.machine.run("podman", "ps", "--quiet").stdout == ""
    demo.anvil_gen("up", "box", "--wait")
    assert demo.ask("chat")[0] == 200
