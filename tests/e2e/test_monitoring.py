"""`[monitoring]` for real: Prometheus scrapes llama-server and HAProxy, and each expression is answered under load.

A Grafana server cannot be had here: its dashboards are held to their form by `tests/unit/resolve/test_monitoring.py`,
and their expressions are asked of Prometheus here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.patience import until

KEY = "a key of the test"
UNANSWERED = {
    "ALERTS": "no alert fires",
    "anvil_gen_drift": "no timer has left anything in the folder of text files",
}
"""What Prometheus answers nothing to here, and why."""
OF_THE_SAMPLE = {"Drift": {"service": "small", "kind": "config"}, "RouterDown": {"job": "router"}}
"""Labels that an alert has from its sample, besides those of its rule."""
PATIENCE_SECONDS = 300
AT_ONCE = 2
"""Requests that the tier computes at once."""
RADEON = "GPU-0123456789abcdef"
KERNEL = {
    "unique_id": "0123456789abcdef",
    "gpu_busy_percent": "37",
    "mem_info_vram_total": str(16 << 30),
    "mem_info_vram_used": str(9 << 30),
    "mem_info_vis_vram_total": str(16 << 30),
    "mem_info_vis_vram_used": str(9 << 30),
    "mem_info_gtt_total": str(8 << 30),
    "mem_info_gtt_used": str(1 << 20),
    "mem_info_vram_vendor": "samsung",
    "power_dpm_force_performance_level": "auto",
}
"""The files of a GPU of AMD below /sys/class/drm/card1/device."""
SENSORS = {"name": "amdgpu", "temp1_input": "61000", "temp2_input": "70000", "power1_average": "187000000"}
"""Those below its hwmon."""


@pytest.fixture(scope="module")
def watched(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Start the demo's tier with a router, Prometheus and the node exporter, under load."""
    with new_box(engine, tmp_path_factory.mktemp("monitoring")) as box:
        box.environment.update(ANVIL_ROUTER_TOKEN=KEY, GRAFANA_PASSWORD="not started here")
        inventory = box.adapted("cpu-demo")
        textfile = box.folder / "textfile"
        textfile.mkdir()
        textfile.chmod(0o755)
        inventory["router"]["metrics"] = "key"  # behind it: what Prometheus has to be given
        inventory["monitoring"] = {
            "port": box.port("prometheus"),
            "grafana_port": box.port("grafana"),
            "textfile": str(textfile),
        }
        inventory["gpus"] = {"radeon": {"vendor": "amd", "uuid": RADEON}}
        box.render(inventory)
        box.anvil_gen("up", "box", "small", "router", "prometheus", "host-metrics", "--wait")
        with gpu_exporter(box), load(box):
            yield box


@contextmanager
def gpu_exporter(box: Box) -> Iterator[None]:
    """Start the exporter of the GPU as it is rendered, over files as the kernel's are, until the block ends."""
    for name, text in {"uevent": "DRIVER=amdgpu", **KERNEL}.items():
        file = box.folder / "sys" / "class" / "drm" / "card1" / "device" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    sensors = box.folder / "sys" / "devices" / "0000:03:00.0" / "hwmon" / "hwmon2"
    sensors.mkdir(parents=True)
    for name, text in SENSORS.items():
        (sensors / name).write_text(f"{text}\n")
    (sensors / "device").symlink_to("../../../0000:03:00.0")
    listed = box.folder / "sys" / "class" / "hwmon"
    listed.mkdir()
    (listed / "hwmon2").symlink_to("../../devices/0000:03:00.0/hwmon/hwmon2")
    box.folder.chmod(0o755)
    service = yaml.safe_load((box.tree / "services" / "gpu-metrics-amd.yml").read_text("utf-8"))["services"]
    keys = service["gpu-metrics-amd"]
    own = [f"--name={box.name('gpu')}", f"--network={box.project}_default", "--network-alias=gpu-metrics-amd"]
    own += ["--read-only", "--cap-drop=ALL", f"--user={keys['user']}", f"--security-opt={keys['security_opt'][0]}"]
    own += ["--detach", "--rm", f"--volume={box.folder}/sys:/kernel:ro"]
    started = box.engine.docker("run", *own, keys["image"], *keys["command"], "--path.sysfs=/kernel")
    try:
        yield
    finally:
        box.engine.docker("kill", started.strip())


@contextmanager
def load(box: Box) -> Iterator[None]:
    """Ask two more than the tier computes at once, until the block ends: so few that no alert ever fires."""
    stop = threading.Event()
    body = {"model": "chat", "messages": [{"role": "user", "content": "Count to a thousand."}], "max_tokens": 64}

    def ask() -> None:
        while not stop.is_set():
            with suppress(OSError):  # it may wait longer than the test does
                web.ask(
                    box.port("router"), "/v1/chat/completions", body=body, headers={"Authorization": f"Bearer {KEY}"}
                )

    # A thread that is started here is in the engine's network, as this one is.
    threads = [threading.Thread(target=ask) for _ in range(2 * AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def answer(box: Box, expression: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers to an expression now.

    Raises:
        AssertionError: it cannot be read.
    """
    found = web.ask(box.port("prometheus"), f"/api/v1/query?query={quote(expression)}")
    assert found.status == 200, f"{expression}: {found.text}"
    return list(json.loads(found.text)["data"]["result"])


def value(box: Box, expression: str, least: float = 1e-9) -> float:
    """Wait for an answer of one number that is not below ``least``, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = answer(box, expression)
        if found and float(found[0]["value"][1]) >= least:
            return float(found[0]["value"][1])
        assert time.monotonic() < deadline, f"{expression}: {found}"
        time.sleep(2)


def data(box: Box, path: str) -> Any:
    return json.loads((box.tree / "monitoring" / path).read_text("utf-8"))


def expressions(box: Box) -> Iterator[str]:
    """Yield what every panel and every alert asks for; of an alert, the metric that it compares."""
    for name in ("fleet", "host", "tier"):
        for panel in data(box, f"dashboards/{name}.json")["panels"]:
            for target in panel.get("targets", []):
                yield (
                    target["expr"].replace("$host", "box").replace("$tier_llamacpp", "small").replace("$tier", "small")
                )
    rules = yaml.safe_load((box.tree / "monitoring" / "rules.yaml").read_text("utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        compared = rule["expr"].partition(" == ")[0].partition(" > ")[0].partition(" < ")[0]
        yield compared.removeprefix("absent(").removesuffix(")") if compared.startswith("absent(") else compared


def promtool(box: Box, *arguments: str, folder: Path | None = None) -> str:
    """Run promtool on the rendered files, in /etc/prometheus; ``folder`` is in /tests."""
    mounts = [f"--volume={box.tree}/monitoring:/etc/prometheus:ro"]
    mounts += [f"--volume={folder}:/tests:ro"] if folder is not None else []
    image = "prom/prometheus:v3.5.0"
    return box.engine.docker("run", "--rm", *mounts, "--entrypoint=promtool", image, *arguments)


def test_promtool_takes_configuration_and_rules(watched: Box) -> None:
    """In the container itself, which alone has the file with the router's key."""
    own = watched.compose("ps", "--quiet", "prometheus").stdout.strip()
    said = watched.engine.docker(
        "exec", own, "promtool", "check", "config", "--lint-fatal", "/etc/prometheus/prometheus.yaml"
    )

    assert said.count("SUCCESS") == 3


def test_the_routers_key_is_in_no_file_of_the_tree(watched: Box) -> None:
    files = [path for path in watched.tree.rglob("*") if path.is_file() and path.name != ".env"]

    assert not [path for path in files if KEY in path.read_text("utf-8", "replace")]
    assert value(watched, 'anvil:target_up{host="box", job="router"}') == 1  # which asks for it


def test_the_running_tier_is_seen_under_one_name(watched: Box) -> None:
    tier = '{host="box", tier="small"}'

    assert value(watched, f"anvil:requests_running{tier}", least=AT_ONCE) == AT_ONCE
    assert value(watched, f"anvil:requests_waiting{tier}", least=1) <= AT_ONCE
    assert value(watched, f"anvil:generation_tokens_per_second{tier}") > 0
    assert value(watched, f"anvil:router_tier_up{tier}") == 1
    assert value(watched, 'anvil:router_responses_per_second{host="box", tier="small", code="2xx"}') > 0
    assert value(watched, 'anvil:target_up{job="tiers", tier="small"}') == 1
    assert value(watched, 'anvil:host_memory_total_bytes{host="box"}') > 1 << 30


def test_a_gpu_is_seen_by_the_name_of_the_inventory(watched: Box) -> None:
    """By the real exporter, and by the id that the kernel has of a GPU of AMD."""
    gpu = '{host="box", gpu="radeon"}'

    assert value(watched, f"anvil:gpu_memory_used_bytes{gpu}") == 9 << 30
    assert value(watched, f"anvil:gpu_memory_total_bytes{gpu}") == 16 << 30
    assert value(watched, f"anvil:gpu_utilization_ratio{gpu}") == pytest.approx(0.37)
    assert value(watched, f"anvil:gpu_temperature_celsius{gpu}") == 61
    assert value(watched, f"anvil:gpu_power_watts{gpu}") == 187
    assert len(answer(watched, "anvil:gpu_memory_used_bytes")) == 1


def test_each_page_of_the_router_says_itself_whether_it_answers(watched: Box) -> None:
    assert value(watched, 'count(up{host="box", job="router"} == 1)', least=2) == 2


def test_status_tells_the_requests_of_the_tier(watched: Box) -> None:
    def requests() -> tuple[float, float]:
        rows = json.loads(watched.anvil_gen("status", "box", "--json", check=False).stdout)["services"]
        (row,) = (row for row in rows if row["tier"] == "small")
        # A server that computes may not answer within two seconds, or be between two requests.
        return row["requests_running"] or 0, row["requests_waiting"] or 0

    found = until(requests, lambda told: told[0] >= AT_ONCE and told[1] >= 1, seconds=PATIENCE_SECONDS)
    assert found[0] == AT_ONCE


def test_every_expression_is_answered_or_listed(watched: Box) -> None:
    """A rate is answered from a target's second scrape on, which each target has at its own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        silent = {expression for expression in expressions(watched) if not answer(watched, expression)}
        unexpected = {one for one in silent if not any(name in one for name in UNANSWERED)}
        if not unexpected or time.monotonic() > deadline:
            break
        time.sleep(2)

    assert unexpected == set()
    assert [name for name in UNANSWERED if not any(name in one for one in silent)] == []


def test_the_rows_of_a_dashboard_are_those_of_the_tiers(watched: Box) -> None:
    """What Grafana asks for the values of the variable that a row is repeated for."""
    (variable,) = data(watched, "dashboards/host.json")["templating"]["list"]
    series = variable["query"].removeprefix("label_values(").removesuffix(", tier)")

    def tiers() -> Any:
        found = web.ask(watched.port("prometheus"), f"/api/v1/label/tier/values?match[]={quote(series)}")
        return json.loads(found.text)["data"]

    assert (variable["name"], until(tiers)) == ("tier_llamacpp", ["small"])


def test_alerts_fire_by_facts_and_not_for_a_busy_engine(watched: Box, tmp_path: Path) -> None:
    """By promtool's own clock: the tier starts within ten minutes, and computes two requests at once."""
    up = 'up{host="box", job="tiers", tier="small"}'
    routed = 'haproxy_server_status{host="box", tier="small", proxy="small", server="small", state="UP"}'
    waiting = 'llamacpp:requests_deferred{host="box", tier="small"}'
    router = 'up{host="box", job="router"}'
    cases = [
        ("TierDown", {up: "0x200", routed: "0x200"}, "14m", False),
        ("TierDown", {up: "0x200", routed: "0x200"}, "16m", True),
        ("TierDown", {up: "0x200", routed: "1x200"}, "16m", False),
        ("TierDown", {up: "1x200", routed: "0x200"}, "16m", False),
        ("TierQueue", {waiting: "2x200"}, "10m", False),
        ("TierQueue", {waiting: "3x200"}, "4m", False),
        ("TierQueue", {waiting: "3x200"}, "6m", True),
        ("RouterDown", {router: "0x200"}, "2m", True),
        ("RouterWithoutTier", {routed: "0x200"}, "2m", True),
        ("RouterWithoutTier", {routed: "1x200"}, "2m", False),
        ("Drift", {'anvil_gen_drift{host="box", service="small", kind="config"}': "1x200"}, "16m", True),
    ]
    tests = [_case(watched, *case) for case in cases]
    whole = {"rule_files": ["/etc/prometheus/rules.yaml"], "evaluation_interval": "15s", "tests": tests}
    tmp_path.chmod(0o755)
    (tmp_path / "rules_test.yaml").write_text(json.dumps(whole))

    assert "SUCCESS" in promtool(watched, "test", "rules", "/tests/rules_test.yaml", folder=tmp_path)


def _case(box: Box, name: str, series: Mapping[str, str], at: str, fires: bool) -> dict[str, Any]:
    """Return a case of promtool: what an alert does at a time, with the labels and notes of the rendered rule."""
    rules = yaml.safe_load((box.tree / "monitoring" / "rules.yaml").read_text("utf-8"))
    (rule,) = [one for group in rules["groups"] for one in group["rules"] if one.get("alert") == name]
    labels = {**rule["labels"], **OF_THE_SAMPLE.get(name, {})}
    expected = [{"exp_labels": labels, "exp_annotations": rule["annotations"]}] if fires else []
    return {
        "interval": "15s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": expected}],
    }
