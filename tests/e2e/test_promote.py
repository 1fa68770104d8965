"""A trial that becomes a tier, on a real engine: the inventory's bytes stay, and the tier runs what the trial ran."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from effort import EFFORT

from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.test_experiment import MODEL, experiment, slot_box

KILLS = 200 if EFFORT > 1 else 6
INVENTORY = """# A box.\r
schema = 1\r
[host]\r
project = "{project}" # as anvil-serving wants it\r
hfcache.path = '{hub}'\r
[gpus]\r
big = {{ uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c", memory_mib = 97887 }}\r
small = {{ uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1", memory_mib = 32607 }}\r
\r
[tiers.fast]\r
engine = "vllm"\r
gpus = ["small"]\r
port = {fast}\r
container_name = "{prefix}-fast"\r
gpu_memory_utilization = 0.9_0\r
model = {{ repo = "{model}" }}\r
flag_check = false\r
flags.note = '''\r
[tiers.none]'''   # no section\r
\r
# The slot.\r
[experiment]\r
engine = "vllm"\r
gpu = "big"\r
port = {slot}\r
project = "{prefix}-experiment"\r
container_name = "{prefix}-experiment"\r
gpu_memory_utilization = 0.50\r
environment = {{ LEVEL = "2" }}\r
flag_check = false\r
flags.enable-x = true"""
FLAGS = (
    *("--max-model-len", "512", "--seed=7", "--temp", "0.70", '--note=it\'s "$x" ü', "--list", "a", "2"),
    *('--json={"a":{"b":"c d"}}', "--empty=", "--text=true", "--bare"),
)
TIER = """\r
[tiers.coder]\r
engine = "vllm"\r
gpus = ["big"]\r
port = {port}\r
model = {{ repo = "org/small" }}\r
served_name = "small"\r
context_length = 512\r
gpu_memory_utilization = 0.50\r
flag_check = false\r
environment.LEVEL = "2"\r
flags.bare = true\r
flags.empty = ""\r
flags.enable-x = true\r
flags.json = {{ a = {{ b = "c d" }} }}\r
flags.list = ["a", 2]\r
flags.note = "it's \\"$x\\" ü"\r
flags.seed = 7\r
flags.temp = 0.70\r
flags.text = "true"\r
"""


def written(box: Box, model_folder: Path) -> Path:
    """Write the inventory of the tests here, with CRLF line ends, and render it."""
    slot_box(box, model_folder)
    text = INVENTORY.replace("hfcache.path", "[hfcache]\r\npath").format(
        project=box.project,
        hub=box.folder / "hub",
        prefix=box.prefix,
        fast=box.port("fast"),
        slot=box.port("experiment"),
        model=MODEL,
    )
    path = box.folder / "hosts" / "box.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    box.anvil_gen("render", "box")
    return path


@pytest.fixture(scope="module")
def running(engine: Engine, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Start one trial, for the tests that only look at it."""
    with new_box(engine, tmp_path_factory.mktemp("promote")) as box:
        written(box, model_folder)
        box.anvil_gen("experiment", "up", "box", MODEL, "--gpu", "small", "--", "--seed=1")
        yield box


def codes(box: Box, *arguments: str) -> list[str]:
    """Return what a promotion is refused for; the inventory is as it was."""
    path = box.folder / "hosts" / "box.toml"
    before = path.read_bytes()
    done = box.anvil_gen("experiment", "promote", "box", *arguments, "--json", check=False)
    assert (done.code, path.read_bytes()) == (1, before), done.stdout + done.stderr
    return [diagnostic["code"] for diagnostic in json.loads(done.stdout)["diagnostics"]]


def flags_of(command: list[str]) -> dict[str, list[str]]:
    """Return a vLLM command's flags with their values, in whatever style."""
    assert command[:2] == ["serve", MODEL]
    flags: dict[str, list[str]] = {}
    name = ""
    for word in command[2:]:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            flags.setdefault(name, []).extend([value] if equals else [])
        else:
            flags[name].append(word)
    return flags


def test_a_trial_becomes_a_tier_that_runs_the_same(box: Box, model_folder: Path) -> None:
    inventory, port = written(box, model_folder), box.port("trial")
    before = inventory.read_bytes()
    box.anvil_gen("experiment", "up", "box", MODEL, "--port", str(port), "--served-name", "small", "--", *FLAGS)
    trial = box.container("experiment")
    done = box.anvil_gen("experiment", "promote", "box", "coder", "--yes")

    after = inventory.read_bytes()
    piece = TIER.format(port=port).encode()
    assert after.replace(piece, b"") == before
    assert after.count(piece) == 1
    assert "+flags.seed = 7\n" in done.stdout
    assert "\n-" not in done.stdout.replace("\n--- ", "")
    assert "differs from the trial" not in done.stdout
    commands = [line.strip() for line in done.stdout.rsplit("next:\n", 1)[1].splitlines() if line]
    assert commands == [
        "anvil-gen render hosts/box.toml",
        "anvil-gen experiment down box",
        "anvil-gen up box coder",
    ]

    try:
        for line in commands:
            box.anvil_gen(*line.split()[1:])
        tier = box.engine.inspect("coder")
    finally:
        box.anvil_gen("down", "box", "coder", check=False)
    assert tier["State"]["Running"]
    assert flags_of(tier["Args"]) == flags_of(trial["Args"])
    for key in ("Image", "Entrypoint", "Env"):
        assert sorted(tier["Config"][key]) == sorted(trial["Config"][key])
    for key in ("DeviceRequests", "PortBindings", "IpcMode"):
        assert tier["HostConfig"][key] == trial["HostConfig"][key]


def test_the_answer_for_programs(box: Box, model_folder: Path) -> None:
    inventory = written(box, model_folder)
    experiment(box, "up", MODEL, "--", "--max-model-len=256")
    said = experiment(box, "promote", "coder", "--yes")

    assert said["table"]["context_length"] == 256
    assert said["table"]["port"] == box.port("experiment") + 1
    assert said["table"] == tomllib.loads(inventory.read_bytes().decode().replace("\r\n", "\n"))["tiers"]["coder"]
    assert said["diff"].startswith("--- a/hosts/box.toml\n+++ b/hosts/box.toml\n")
    assert {change["address"][-1] for change in said["differences"]} == {"--port", "--served-model-name"}
    assert said["next"][0] == "anvil-gen render hosts/box.toml"


def test_a_card_of_another_tier_needs_standby(running: Box) -> None:
    assert codes(running, "coder", "--yes") == ["shares-above-the-whole-gpu", "nothing-was-written"]
    inventory = running.folder / "hosts" / "box.toml"
    before = inventory.read_bytes()
    done = running.anvil_gen("experiment", "promote", "box", "coder", "--yes", "--standby")
    try:
        assert b"\r\nstandby = true\r\n" in inventory.read_bytes()
        assert 'tiers = ["coder", …] in [modes.NAME]' in done.stdout
        running.anvil_gen("render", "box")
    finally:
        inventory.write_bytes(before)
        running.anvil_gen("render", "box")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("coder",), ["not-confirmed"]),
        (("fast", "--yes"), ["tier-exists"]),
        (("Big Name", "--yes"), ["invalid-name"]),
        (("con", "--yes"), ["invalid-name"]),
        (("", "--yes"), ["invalid-name"]),
        (("../x", "--yes"), ["invalid-name"]),
        (("ü", "--yes"), ["invalid-name"]),
    ],
)
def test_what_is_refused(running: Box, arguments: tuple[str, ...], expected: list[str]) -> None:
    assert codes(running, *(arguments if "--yes" in arguments else (*arguments, "--standby"))) == expected


def test_without_a_trial_there_is_nothing_to_promote(box: Box, model_folder: Path) -> None:
    inventory = written(box, model_folder)
    assert codes(box, "Coder", "--yes") == ["invalid-name", "no-trial"]

    box.anvil_gen("experiment", "up", "box", MODEL, "--", "--no-such-flag")
    box.engine.docker("wait", box.name("experiment"))
    assert codes(box, "coder", "--yes") == ["trial-is-not-running"]

    box.anvil_gen("experiment", "up", "box", MODEL, "--", "--gpu-memory-utilization=0.40", "-x", "--seed=1", "--seed=2")
    assert codes(box, "coder", "--yes") == [
        "argument-cannot-be-written-in-an-inventory",
        "conflicting-values",
        "conflicting-values",
    ]

    inventory.write_bytes(inventory.read_bytes().replace(b"0.50", b"0.60"))
    assert codes(box, "coder", "--yes") == ["files-do-not-match-the-inventory"]
    box.anvil_gen("render", "box")
    assert codes(box, "coder", "--yes") == ["trial-differs-from-the-slot-file"]


@pytest.mark.parametrize(
    ("typed", "code", "is_written"),
    [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False), ("\x04", 130, False), ("\x03", 130, False)],
    ids=["yes", "no", "enter", "end", "interrupt"],
)
def test_the_question(running: Box, typed: str, code: int, is_written: bool) -> None:
    inventory = running.folder / "hosts" / "box.toml"
    before = inventory.read_bytes()
    leader, follower = pty.openpty()
    # Where the tests run in the background, an interrupt is ignored, and that would be inherited.
    default = ["env", "--default-signal=INT"]
    command = [*default, sys.executable, "-m", "anvil_gen", "experiment", "promote", "box", "asked", "--standby"]
    environment = {**os.environ, **running.engine.environment}
    process = subprocess.Popen(
        command,
        cwd=running.folder,
        env=environment,
        stdin=follower,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        asked = process.stderr.read(1)
        while process.poll() is None:  # once more where it came between two reads
            if typed == "\x03":
                process.send_signal(signal.SIGINT)
            else:
                os.write(leader, typed.encode())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        asked += process.stderr.read()
        assert (process.returncode, inventory.read_bytes() != before) == (code, is_written), asked
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)
        inventory.write_bytes(before)
    assert [path.name for path in inventory.parent.iterdir()] == ["box.toml"]


def test_a_promotion_that_is_killed_is_whole_or_not_there(running: Box) -> None:
    """At any moment the inventory is the old one or the new one; the next run ends it, and leaves nothing beside it."""
    inventory = running.folder / "hosts" / "box.toml"
    arguments = ("experiment", "promote", "box", "killed", "--yes", "--standby")
    before = inventory.read_bytes()
    began = time.monotonic()
    running.anvil_gen(*arguments)
    whole, wanted = time.monotonic() - began, inventory.read_bytes()
    moments, killed = random.Random(17), 0
    try:
        for number in range(KILLS):
            inventory.write_bytes(before)
            process = running.start(*arguments)
            time.sleep(moments.random() * whole)
            killed += process.poll() is None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            assert inventory.read_bytes() in (before, wanted), number
            began = time.monotonic()
            done = running.anvil_gen(*arguments, check=False)
            whole = min(whole, time.monotonic() - began)  # the first one may have met a busier machine

            assert done.code == 0 or "killed" in done.stderr, done.stderr
            assert inventory.read_bytes() == wanted, number
            assert [path.name for path in inventory.parent.iterdir()] == ["box.toml"]
    finally:
        inventory.write_bytes(before)
    assert killed >= KILLS // 3
