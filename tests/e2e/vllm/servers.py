"""What the tests of the real vLLM render and start, and how long that may take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import openai
from running import Result

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import KnownLog, known_log
from e2e.box import Box

# A start takes half a minute of a quiet machine with two cores.
START_SECONDS = 600
ANSWER_SECONDS = 300
SERVED_NAME = "smollm2-135m"


class Vllm(NamedTuple):
    """The image of the real vLLM, and the folder of its models."""

    image: str
    models: str


def inventory(box: Box, vllm: Vllm, **tier: Any) -> dict[str, Any]:
    """Return an inventory with one tier, whose model is `smollm2` unless it names another."""
    chat = {
        "engine": "vllm",
        "image": vllm.image,
        "container_name": box.name("chat"),
        "port": box.port("chat"),
        "model": {"path": "smollm2"},
        "served_name": SERVED_NAME,
        "context_length": 1024,
        "max_sequences": 4,
        # Else Compose hears only every ten seconds that it is healthy.
        "override": {"healthcheck": {"interval": "3s"}},
    }
    return {
        "schema": 1,
        "host": {"project": box.project},
        "paths": {"models": vllm.models},
        "tiers": {"chat": chat | tier},
    }


def waited(box: Box, *arguments: str) -> Result:
    """Run `up --wait`, and return what it prints, whatever its exit code."""
    process = box.start("up", "box", "--wait", f"--timeout={START_SECONDS}", *arguments)
    stdout, stderr = process.communicate(timeout=START_SECONDS + ANSWER_SECONDS)
    return Result(process.returncode, stdout, stderr)


def brought_up(box: Box, data: dict[str, Any]) -> Result:
    """Render an inventory and bring it up, and return what that prints."""
    box.render(data)
    done = waited(box)
    assert done.code == 0, f"{done.stdout}{done.stderr}{log_text(box)[-5000:]}"
    return done


def log_text(box: Box) -> str:
    """Return the log of the tier's container."""
    return box.compose("logs", "--no-log-prefix", "--no-color", "chat").stdout


def vllm_log() -> KnownLog:
    """Return what is known of vLLM's log."""
    return known_log(Catalog(), "engines", "vllm")


def stages(lines: list[str]) -> Iterator[str]:
    """Yield the stages that the lines of a log begin, each change once."""
    known, last = vllm_log(), ""
    for line in lines:
        found = known.stage(line)
        if found is not None and found[1] != last:
            last = found[1]
            yield last


def client(port: int, key: str = "none") -> openai.OpenAI:
    """Return the official client of a port of the loopback."""
    direct = openai.DefaultHttpxClient(trust_env=False)
    address = f"http://127.0.0.1:{port}/v1"
    return openai.OpenAI(base_url=address, api_key=key, max_retries=0, timeout=ANSWER_SECONDS, http_client=direct)


def exit_code(box: Box) -> int:
    """Return the exit code of the tier's container, which does not run any more."""
    state = box.container("chat")["State"]
    assert not state["Running"], json.dumps(state)
    return int(state["ExitCode"])
