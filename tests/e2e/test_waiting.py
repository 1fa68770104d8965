"""`up --wait` on a real engine: until real models answer, and why they do not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import Any

import pytest
from fake_engine import FakeDocker
from running import Result

from anvil_gen.deploy.starts import known_starts
from anvil_gen.machine.usage import Usage, usage_of
from anvil_gen.operate.standstill import IDLE_PERCENT
from e2e.box import Box
from e2e.patience import least, until
from e2e.test_drift import IMAGE, two_tiers

KV_TOO_SMALL = (
    "(EngineCore pid=87) ERROR ValueError: To serve at least one request with the model's max seq len (131072), "
    "(2.15 GiB KV cache is needed, which is larger than the available KV cache memory (1.5 GiB). Based on the "
    "available memory, the estimated maximum model length is 87808. Try increasing `gpu_memory_utilization`"
)
WAIT_SECONDS = 300


def vllm(box: Box, **variables: str) -> dict[str, Any]:
    """Return an inventory with one vLLM tier, which does what the stand-in's variables say."""
    inventory = box.adapted("fakoli-dark")
    inventory["tiers"] = {"fast": inventory["tiers"]["fast"] | {"environment": variables, "stop_grace_period": "1s"}}
    for table in ("router", "experiment", "hfcache"):
        inventory.pop(table, None)
    return inventory


def sleeping(box: Box, *entrypoint: str, **keys: Any) -> dict[str, Any]:
    """Return an inventory with one tier that runs a command of the shell."""
    inventory = two_tiers(box)
    one = {"entrypoint": list(entrypoint) or ["/bin/sleep", "600"], **keys}
    inventory["tiers"] = {"one": inventory["tiers"]["one"] | one}
    return inventory


def waited(box: Box, *arguments: str, code: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `up --wait --json`, and return the whole answer and its first service."""
    done = box.anvil_gen("up", "box", "--wait", "--json", *arguments, check=False)
    assert done.code == code, done.stdout + done.stderr
    said = json.loads(done.stdout)
    return said, said["wait"]["services"][0]


def test_it_waits_until_the_model_answers(box: Box) -> None:
    box.render(vllm(box, STAND_IN_LOG="INFO [gpu_model_runner.py:1] Starting to load model x...", STAND_IN_SECONDS="8"))
    done = box.anvil_gen("up", "box", "--wait")

    assert re.fullmatch(r"\+ fast  started\nready after (\d+m)?\d+s\n", done.stdout)
    assert "loading weights\n" in done.stderr
    assert box.container("fast")["State"]["Health"]["Status"] == "healthy"
    assert known_starts(box.tree)["fast"] > 0
    assert least(lambda: seconds_of_another_wait(box), 2) < 2


def seconds_of_another_wait(box: Box) -> float:
    again, fast = waited(box, code=0)
    assert (again["wait"]["outcome"], again["services"][0]["action"], fast["phase"]) == ("ready", "unchanged", "ready")
    return float(again["wait"]["seconds"])


def test_an_unknown_flag_is_told_with_its_remedy(box: Box) -> None:
    inventory = vllm(box)
    inventory["tiers"]["fast"]["flags"] = {"no-such-flag": 3}
    box.render(inventory)
    done = box.anvil_gen("up", "box", "--wait", check=False)

    assert done.code == 1
    assert "error: service is not ready\n" in done.stderr
    assert "  | vllm: error: unrecognized arguments: --no-such-flag\n" in done.stderr
    assert "known cause: this version of the program does not know: --no-such-flag" in done.stderr
    assert "`flags`" in done.stderr
    assert "\n      anvil-gen logs box fast\n" in done.stderr
    assert "unrecognized" in box.anvil_gen("logs", "box", "fast").stdout


def test_real_llama_server_refuses_an_unknown_flag(box: Box) -> None:
    inventory = box.adapted("cpu-demo")
    inventory.pop("router")
    inventory["tiers"]["small"]["flags"] = {"no-such-flag": True}
    inventory["tiers"]["small"]["flag_check"] = False
    box.render(inventory)
    _, small = waited(box, code=1)

    assert small["causes"][0]["cause"] == "this version of llama-server does not know: --no-such-flag"
    assert small["log"] == ["error: invalid argument: --no-such-flag"]


def test_real_llama_server_refuses_what_is_no_model(box: Box) -> None:
    inventory = box.adapted("cpu-demo")
    inventory.pop("router")
    inventory["tiers"]["small"] |= {"model": {"file": "none.gguf"}, "restart": "no"}
    inventory["paths"]["models"] = str(box.folder / "models")
    (box.folder / "models").mkdir()
    (box.folder / "models" / "none.gguf").write_text("<html>404</html>")
    box.render(inventory)
    _, small = waited(box, code=1)

    assert small["causes"][0]["cause"] == "the model's file is no GGUF file, or not a whole one"


def test_what_is_healthy_but_wrong_is_told_by_up_and_by_status(box: Box) -> None:
    line = "Failed to initialize NVML: Unknown Error"
    box.render(vllm(box, STAND_IN_LOG=line, STAND_IN_SECONDS="1"))
    said, fast = waited(box, code=0)
    (warning,) = said["diagnostics"]
    status = box.anvil_gen("status", "box", "--json", check=False)
    (row,) = json.loads(status.stdout)["services"]

    assert (said["wait"]["outcome"], fast["told"]) == ("ready", "is healthy, but without its GPU")
    assert (warning["severity"], line in warning["detail"]) == ("warning", True)
    assert (status.code, [drift["kind"] for drift in row["drift"]]) == (2, ["impaired"])
    assert row["drift"][0]["detail"].endswith(f"({line})")


def test_a_known_failure_names_the_value_that_works(box: Box) -> None:
    box.render(vllm(box, STAND_IN_LOG=KV_TOO_SMALL, STAND_IN_SECONDS="1", STAND_IN_EXIT="1"))
    said, fast = waited(box, code=1)

    assert said["wait"]["outcome"] == "failed"
    assert "`context_length` at most 87808" in fast["causes"][0]["remedy"]
    assert "`context_length` at most 87808" in said["diagnostics"][0]["remedy"]


def test_what_never_gets_healthy_is_given_up_with_what_it_does(box: Box) -> None:
    box.render(vllm(box, STAND_IN_LOG="INFO Starting to load model x...", STAND_IN_SECONDS="600"))
    # Time enough for a busy machine to start the program and to read its log.
    said, fast = waited(box, "--timeout", "12.5", code=1)

    assert said["wait"]["outcome"] == "timeout"
    assert 12.5 <= said["wait"]["seconds"] < 120
    assert (fast["phase"], fast["stage"]) == ("failed", "loading weights")
    assert re.fullmatch(r"is not ready after (\d+m)?\d+s: loading weights", fast["told"])
    assert box.container("fast")["State"]["Running"]
    # What a longer wait would have looked at, once the program has started: its health check runs each second.
    container = box.container("fast")["Id"]
    idle = until(lambda: _usage(box, container), lambda usage: usage.percent < IDLE_PERCENT)
    assert "B / " in idle.moved[1]


def _usage(box: Box, container: str) -> Usage:
    printed = box.engine.docker("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", container)
    return usage_of(FakeDocker({"stats": printed}), [container])[container]


def test_an_unhealthy_service_is_told_with_its_last_check(box: Box) -> None:
    check = {"test": ["CMD-SHELL", "echo nobody is here; exit 1"], "interval": "1s", "retries": 1}
    box.render(sleeping(box, healthcheck=check, start_period="0s"))
    _, one = waited(box, code=1)

    assert one["told"] == "is unhealthy: its health check printed nobody is here"


@pytest.mark.parametrize(
    ("script", "restart", "code", "told"),
    [
        ("exec sleep 600", "no", 0, "is running"),
        ("exit 0", "no", 1, "exited with code 0"),
        ("echo it is wrong >&2; exit 3", "no", 1, "exited with code 3"),
        ("echo bye; exit 3", "on-failure:50", 1, r"(exited with code 3, |was restarted )\d+ times"),
        ("sleep 0.3; exit 0", "always", 1, r"(exited with code 0, |was restarted )\d+ times"),
    ],
)
def test_a_service_without_a_health_check(box: Box, script: str, restart: str, code: int, told: str) -> None:
    box.render(sleeping(box, "/bin/sh", "-c", script, restart=restart))
    _, one = waited(box, code=code)

    assert re.fullmatch(told, one["told"])


def test_a_further_service_counts_too(box: Box) -> None:
    inventory = sleeping(box)
    inventory["services"] = {box.name("job"): {"image": IMAGE, "entrypoint": ["/bin/sh", "-c", "echo no; exit 4"]}}
    box.render(inventory)
    said, _ = waited(box, code=1)

    assert [one["told"] for one in said["wait"]["services"] if one["phase"] == "failed"] == ["exited with code 4"]


def test_a_router_without_its_key_is_told_what_is_missing(box: Box) -> None:
    inventory = box.adapted("cpu-demo")
    # One that is restarted would be down at some moments, in which Compose cannot start what reloads it.
    inventory["router"] |= {"kind": "haproxy", "api_key_env": "KEY_OF_NOBODY", "restart": "no"}
    box.render(inventory)
    assert box.anvil_gen("up", "box", "router", check=False).code == 1  # which touches nothing
    box.compose("up", "--detach", "router")
    said, router = waited(box, "router", code=1)

    assert router["causes"][0]["cause"].startswith("the variable KEY_OF_NOBODY is not set")
    assert any("`.env.example`" in diagnostic["remedy"] for diagnostic in said["diagnostics"])


def test_a_log_that_cannot_be_read_costs_no_answer(box: Box) -> None:
    inventory = sleeping(box, "/bin/sh", "-c", "echo unseen; exit 3", restart="no")
    inventory["tiers"]["one"]["override"] = {"logging": {"driver": "none", "options": {}}}
    box.render(inventory)
    said, one = waited(box, code=1)

    assert (one["told"], one["log"]) == ("exited with code 3", [])
    assert "its log is empty" in said["diagnostics"][0]["detail"]


def test_a_strange_log_neither_steers_nor_stops_anything(box: Box) -> None:
    script = r"printf 'error \033[2J\007\377'; head -c 1500000 /dev/zero | tr '\0' x; printf '\nerror: end\n'; exit 3"
    box.render(sleeping(box, "/bin/sh", "-c", script, restart="no"))
    done = box.anvil_gen("up", "box", "--wait", check=False)

    assert done.code == 1
    assert "\x07" not in done.stderr
    assert "\x1b[2J" not in done.stderr
    assert "  | error: end\n" in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 500


def interrupted(process: subprocess.Popen[str]) -> Result:
    """Send what Ctrl-C sends, and return how it ends."""
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
    return Result(process.returncode, stdout, stderr)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_an_interrupt_ends_the_waiting_and_nothing_else(box: Box, option: tuple[str, ...]) -> None:
    box.render(vllm(box, STAND_IN_SECONDS="600"))
    process = box.start("up", "box", "--wait", *option)
    assert process.stderr is not None
    seen = next(line for line in process.stderr if line.endswith("  starting\n"))
    done = interrupted(process)

    assert (done.code, seen.split()[0]) == (130, "fast")
    assert "interrupted: the containers keep running; anvil-gen status box, anvil-gen logs box -f\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert box.container("fast")["State"]["Running"]
    if option:
        assert json.loads(done.stdout)["wait"]["outcome"] == "interrupted"
