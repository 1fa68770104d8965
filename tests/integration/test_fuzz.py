"""Inventories made at random: what is accepted, real Compose accepts, and it finds there what the inventory says.

The reader is independent: it compares the inventory's own text with what Compose prints of the rendered files. What is
refused has errors with a place in the inventory, and nothing else is ever raised.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from effort import EFFORT, sample
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from strange_values import toml

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic, DiagnosticError

SECONDS, LEAST, MOST = 10, 40, 5000
"""How long a usual run goes on, and how many it tries at least; with `--long` all of the last number."""
BATCH = 20
ACCEPTED, REFUSED = "accepted", "refused"
LEAST_REASONS = 8
"""Kinds of errors that a run meets at least."""
SEED = int(os.environ.get("ANVIL_GEN_SEED") or (1 if EFFORT == 1 else secrets.randbits(32)))
"""The same in each usual run."""
TEXTS = st.sampled_from(
    ["x", "a b", "$HOME", "${X}", "$$", "#", "'", '"', "- a", "yes", "1.0", "é", "a\nb", "\\", "{{ x }}", "", "a: b"]
)
NAMES = st.sampled_from(["fast", "heavy", "a.b", "t-1", "override", "con", "Fast", "x" * 64, "router", "default"])
PORTS = st.sampled_from([1, 80, 8000, 30000, 30001, 30002, 65535, 65536, 0, "80"])
PATHS = st.sampled_from(["/srv/a", "a/b", "C:/m", "/", "..", "~", "/a b", "//srv/x", ".", "", "/a/../..", "a:b"])
TARGETS = st.sampled_from(
    ["/a", "/a/b", "/A", "/", "a", "/x y", "/models/b", "/..", "//a", "/a.jinja", "/" + "z" * 300]
)
OUTPUTS = st.sampled_from(["../deploy/box", "../x/y", "..", ".", "../../out", "~", "../hosts", "../templates/x", "/"])
REFERENCES = st.fixed_dictionaries({"env": st.sampled_from(["X", "A_TOKEN", "1"])}, optional={"default": TEXTS})
VALUES = st.one_of(TEXTS, st.integers(-5, 70000), REFERENCES)
FLAGS = st.dictionaries(
    st.sampled_from(["seed", "api-key", "enable-x", "chat-template", "port", "a.b", "-x"]),
    st.one_of(VALUES, st.booleans(), st.lists(VALUES, max_size=3), st.dictionaries(TEXTS, VALUES, max_size=2)),
    max_size=3,
)
ENVIRONMENT = st.dictionaries(st.sampled_from(["A", "B_TOKEN", "x-y", "A=B", "é", ""]), VALUES, max_size=3)
OVERRIDE = st.fixed_dictionaries(
    {},
    optional={
        "mem_limit": st.sampled_from(["8g", "1.5g"]),
        "volumes": st.lists(st.sampled_from(["data:/data", "/:/x", "/srv:/x:ro", "data:/", "./a:/b"]), max_size=2),
        "labels": st.dictionaries(st.sampled_from(["a", "b.c", "a_password"]), TEXTS, max_size=2),
        "environment": ENVIRONMENT,
        "user": st.sampled_from(["1000:1000", "root"]),
    },
)
TIER = st.fixed_dictionaries(
    {"engine": st.sampled_from(["vllm", "sglang", "llamacpp", "vllm", "nope"])},
    optional={
        "model": st.fixed_dictionaries({}, optional={"path": PATHS, "file": PATHS, "repo": TEXTS}),
        "port": PORTS,
        "container_port": PORTS,
        "bind": st.sampled_from(["127.0.0.1", "0.0.0.0", False, "::1", "x"]),
        "container_name": st.one_of(NAMES, TEXTS),
        "context_length": st.integers(0, 100_000),
        "environment": ENVIRONMENT,
        "flags": FLAGS,
        "files": st.dictionaries(TARGETS, st.sampled_from(["a.txt", "none", "../hosts", "/etc/hostname"]), max_size=2),
        "override": OVERRIDE,
        "standby": st.booleans(),
    },
)
SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["x:1", "X:1", "ghcr.io/a/b:c"])},
    optional={"environment": ENVIRONMENT, "ports": st.lists(st.sampled_from(["80:80", "30000:1"]), max_size=1)},
)
INVENTORY = st.fixed_dictionaries(
    {"tiers": st.dictionaries(NAMES, TIER, min_size=1, max_size=3)},
    optional={
        "host": st.fixed_dictionaries({}, optional={"output": OUTPUTS, "egress": st.sampled_from(["allow", "deny"])}),
        "paths": st.just({"models": "/srv/models"}),
        "hfcache": st.fixed_dictionaries({}, optional={"path": PATHS, "volume": st.just("hub")}),
        "services": st.dictionaries(NAMES, SERVICE, max_size=1),
        "router": st.fixed_dictionaries({}, optional={"kind": st.sampled_from(["haproxy", "anvil", "litellm"])}),
        "modes": st.dictionaries(NAMES, st.fixed_dictionaries({"tiers": st.lists(NAMES, max_size=2)}), max_size=1),
    },
)
PLAIN = st.fixed_dictionaries(
    {"tiers": st.dictionaries(st.sampled_from(["fast", "heavy", "a.b"]), TIER, min_size=1, max_size=2)}
)


def repaired(inventory: dict[str, Any]) -> dict[str, Any]:
    """Return an inventory with more that is right, so that many are accepted."""
    for number, tier in enumerate(inventory["tiers"].values()):
        tier["engine"] = tier["engine"].replace("nope", "vllm")
        tier["model"] = {"file" if tier["engine"] == "llamacpp" else "path": "/srv/m"}
        tier["port"] = 30000 + number
        for key in ("container_name", "files", "container_port", "context_length", "standby"):
            tier.pop(key, None)
    return inventory


def test_what_is_accepted_is_what_compose_finds(tmp_path_factory: pytest.TempPathFactory) -> None:
    sys.stderr.write(f"to repeat this run: ANVIL_GEN_SEED={SEED}\n")
    told = Counter[str]()

    # What is found is small enough to be read as it is.
    @settings(
        sample(BATCH),
        max_examples=BATCH,
        derandomize=False,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(inventory=st.one_of(INVENTORY, PLAIN.map(repaired), INVENTORY.map(repaired)))
    def attempt(inventory: dict[str, Any]) -> None:
        told.update(accepted_is_what_compose_finds(inventory, tmp_path_factory))

    end = time.monotonic() + SECONDS
    for tried in range(0, MOST, BATCH):
        if EFFORT == 1 and tried >= LEAST and time.monotonic() > end:
            break
        seed(SEED + tried)(attempt)()

    # A generator that makes nothing valid tests nothing, and neither does one whose errors are all the same.
    accepted, refused = told.pop(ACCEPTED), told.pop(REFUSED)
    summary = f"{accepted} accepted and compared with Compose, {refused} refused, for {len(told)} reasons: {told}"
    sys.stderr.write(f"{summary}\n")
    assert accepted + refused >= LEAST, summary
    assert min(accepted, refused) >= (accepted + refused) // 40, summary
    assert len(told) >= LEAST_REASONS, summary


def accepted_is_what_compose_finds(
    inventory: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Render an inventory, and hold what comes of it against real Compose; yield what became of it."""
    home = tmp_path_factory.mktemp("fleet") / "home"
    (home / "hosts").mkdir(parents=True)
    (home / "hosts" / "a.txt").write_text("text\n")
    path = home / "hosts" / "box.toml"
    lines = [f"{name} = {toml(table)}" for name, table in inventory.items()]
    path.write_text("\n".join(["schema = 1", *lines, ""]), "utf-8")
    before = sorted(home.parent.rglob("*"))
    plan, errors = rendered(path)
    if plan is None:
        assert errors
        yield from (REFUSED, *{one.code for one in errors})
        assert [one for one in errors if one.location is None or not one.location.line] == []
        assert sorted(home.parent.rglob("*")) == before
    else:
        assert home in plan.host.output.parents
        for mode in plan.host.stack.modes:
            config = compose_config(plan.host.output, mode.root_file, env={"X": "of x", "A_TOKEN": "of token"})
            compare(inventory, config, [tier.name for tier in mode.tiers])
        yield ACCEPTED
    shutil.rmtree(home)


def rendered(path: Path) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """Render and write an inventory; return the plan, or what is wrong."""
    try:
        plan = Generator().render_all([path])[0]
        write([plan])
    except DiagnosticError as error:
        return None, error.diagnostics
    return plan, ()


def compare(inventory: dict[str, Any], config: dict[str, Any], running: list[str]) -> None:
    """Compare what an inventory says of its tiers and services with what Compose has read."""
    for name in running:
        tier, service = inventory["tiers"][name], config["services"][name]
        override = tier.get("override", {})
        assert service["container_name"] == tier.get("container_name", name)
        for key, value in {**tier.get("environment", {}), **override.get("environment", {})}.items():
            assert service["environment"][key] == filled(value), (name, key)
        for key, value in override.get("labels", {}).items():
            assert service["labels"][key] == filled(value), (name, key)
        assert ("mem_limit" in service) == ("mem_limit" in override)
        bind = tier.get("bind")
        if "port" in tier and bind in ("127.0.0.1", "0.0.0.0"):
            assert [(port["host_ip"], port["published"]) for port in service["ports"]] == [(bind, str(tier["port"]))]
        for flag, value in tier.get("flags", {}).items():
            words = service["command"]
            if value is True:
                assert f"--{flag}" in words
            elif isinstance(value, str):
                assert f"--{flag}={filled(value)}" in words or filled(value) in words
    for name, mapping in inventory.get("services", {}).items():
        assert config["services"][name]["image"] == mapping["image"]


def filled(value: Any) -> str:
    """Return a value as Compose prints it: a variable's, or the text itself with each `$` doubled."""
    if isinstance(value, dict):
        return {"X": "of x", "A_TOKEN": "of token"}[value["env"]]
    return str(value).replace("$", "$$")
