"""The forms in which people write a service for a model: each as an inventory, and read alike by real Compose.

``tests/forms/NN.yml`` is a service as people write it, ``NN.toml`` the inventory that says the same, with what is added
by default switched off. ``differences.toml`` has what remains, each with its reason.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from places import REPOSITORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.flag_check import flag_rules
from anvil_gen.text.flags import parse_flags
from anvil_gen.values import canonical_flag

CATALOG = Catalog()
FORMS = REPOSITORY / "tests" / "forms"
NAMES = sorted(path.stem for path in FORMS.glob("*.yml"))
LIST: dict[str, dict[str, str]] = tomllib.loads((FORMS / "differences.toml").read_text("utf-8"))
DIFFERENCES = {name: paths for name, paths in LIST.items() if name != "reasons"}

DOTENV = "HF_TOKEN=\nNGC_API_KEY=placeholder\nTEAL_MODEL=oakmere/teal-8b-instruct\nTEAL_REVISION=main\n"
MARKERS = {
    **{name: f"marked-{name.lower()}" for name in ("HF_TOKEN", "NGC_API_KEY", "KNOT_KEY", "HUGGING_FACE_HUB_TOKEN")},
    **{name: f"marked-{name.lower()}" for name in ("VLLM_TAG", "STACK", "TEAL_REVISION", "TEAL_NAME", "EXTRA_WHEEL")},
    **{name: f"/marked/{name.lower()}" for name in ("HUB_DIR", "NIM_CACHE", "WEIGHTS_DIR", "TEAL_HEALTH")},
    "TEAL_MODEL": "marked/model",
    "TEAL_RESTART": "no",
    "TEAL_CTX": "4096",
    "TEAL_SHARE": "0.5",
    "TEAL_GPUS": "3",
    "BIND": "192.0.2.7",
    "TEAL_PORT": "9120",
    "TEAL_START": "3m",
    "GODWIT_IMAGE": "marked:1",
    "GODWIT_KV": "fp8",
    "GODWIT_EAGER": "1",
    "EXTRA_ARGS": "--seed 7 --max-logprobs 5",
    "NCCL_P2P_DISABLE": "1",
    "NIM_UID": "1234",
    "WREN_GPU": "5",
    "BRANT_GPUS": "5",
    "GODWIT_GPU": "GPU-5",
    "BITTERN_GPU_A": "5",
    "BITTERN_GPU_B": "6",
    "RENDER_GID": "555",
    "VLLM_VERSION": "0.99.0",
    "GANNET_KEY": "marked-gannet",
}
ASSIGNMENTS: dict[str, dict[str, str]] = {"defaults": {}, "markers": MARKERS}
FILES = {"serving.env": "SERVING=yes\n", "rail.ini": "[rail]\n", "chat.jinja": "{{ x }}\n", "hub_token.txt": "x\n"}


@cache
def inventory_of(name: str) -> dict[str, Any]:
    return tomllib.loads((FORMS / f"{name}.toml").read_text("utf-8"))


def folder_of(name: str, folder: Path) -> Path:
    """Return a folder with a form's source, which Compose names the project after, and the rendered tree in it."""
    box = folder / "box"
    box.mkdir()
    for file, text in {**FILES, ".env": DOTENV, "tree/.env": DOTENV}.items():
        (box / file).parent.mkdir(exist_ok=True)
        (box / file).write_text(text, "utf-8")
    for suffix in ("yml", "toml"):
        (box / f"box.{suffix}").write_text((FORMS / f"{name}.{suffix}").read_text("utf-8"), "utf-8")
    for path, text in Generator().render(box / "box.toml", output=box / "tree").tree.files.items():
        (box / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (box / "tree" / path).write_text(text, "utf-8")
    return box


def source_read(box: Path, values: dict[str, str]) -> dict[str, Any]:
    """Return a source as Compose reads it, whatever profile a service is in."""
    return compose_config(box, "box.yml", env={"COMPOSE_PROFILES": "*", **values})


def rendered_read(box: Path, values: dict[str, str]) -> dict[str, Any]:
    """Return what is rendered as Compose reads it: the services, volumes and networks of every mode."""
    found: dict[str, Any] = {}
    for root in sorted(path.name for path in (box / "tree").glob("docker-compose*.yml")):
        for kind, value in compose_config(box / "tree", root, env=values).items():
            found[kind] = {**found.get(kind, {}), **value} if isinstance(value, dict) else value
    return found


def main_form_of(engine: str, image: str) -> Callable[[str], str]:
    """Return what gives a flag the name by which the engine of an image knows it."""
    data = CATALOG.engine(engine)
    rules = flag_rules(CATALOG.flag_timeline(engine), data, image) if data is not None else None
    return rules.main_form if rules is not None else canonical_flag


def command_words(service: dict[str, Any], engine: str) -> dict[str, Any]:
    """Return a command in one form: flags by the names that the engine's data has, the model as a flag."""
    main_form = main_form_of(engine, service.get("image", "")) if engine else canonical_flag
    found: dict[str, Any] = {}
    for flag, values in parse_flags(service.get("command") or ()):
        key = f"--{main_form(flag.lstrip('-'))}" if flag else "words"
        found.setdefault(key, []).extend(map(flag_form, values))
    words = found.get("words", [])
    if engine == "vllm" and words and "--model" not in found:
        found["--model"] = [words.pop()]
    return {key: value for key, value in found.items() if value or key != "words"}


def flag_form(value: str) -> Any:
    """Return a flag's value, JSON as what it says."""
    return json.loads(value) if value.startswith("{") else value


def canonical(service: dict[str, Any], engine: str) -> dict[str, Any]:
    """Return a service in one form: lists whose order says nothing by what is in them."""
    form = {key: value for key, value in service.items() if value is not None}
    form["volumes"] = [{key: value for key, value in one.items() if value != {}} for one in form.get("volumes", ())]
    if "command" in form:
        form["command"] = command_words(service, engine)
    for key in ("volumes", "ports"):
        if key in form:
            form[key] = {f"{one.get('host_ip', '')}{one['target']}": one for one in form[key]}
    return form


def differences(left: Any, right: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Return the paths at which two values differ, with both."""
    if not isinstance(left, dict) or not isinstance(right, dict):
        return {} if left == right else {path: (left, right)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*left, *(key for key in right if key not in left)]:
        at = f"{path}.{key}" if path else key
        if isinstance(left.get(key), dict) and isinstance(right.get(key), dict):
            found |= differences(left[key], right[key], at)
        elif key not in left or key not in right or left[key] != right[key]:
            found[at] = (left.get(key), right.get(key))
    return found


def engine_of(name: str, service: str) -> str:
    """Return the engine whose data names the flags of a service; none for one of Compose's own keys."""
    inventory = inventory_of(name)
    tier = inventory["tiers"].get(service)
    return str({**inventory.get("defaults", {}), **tier}["engine"]) if tier is not None else ""


@cache
def read_pair(name: str, values: str, box: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return source_read(box, ASSIGNMENTS[values]), rendered_read(box, ASSIGNMENTS[values])


@pytest.mark.parametrize("name", NAMES)
def test_compose_reads_an_inventory_as_the_form_that_people_write(name: str, tmp_path: Path) -> None:
    box = folder_of(name, tmp_path)
    for values in ASSIGNMENTS:
        found: dict[str, tuple[Any, Any]] = {}
        source, rendered = read_pair(name, values, box)
        for service in {**source["services"], **rendered["services"]}:
            engine = engine_of(name, service)
            left, right = (canonical(read["services"].get(service, {}), engine) for read in (source, rendered))
            found |= differences(left, right, f"services.{service}")
        for kind in ("volumes", "networks"):
            found |= differences(source.get(kind, {}), rendered.get(kind, {}), kind)
        listed = DIFFERENCES.get(name, {})
        not_listed = {path: both for path, both in found.items() if path not in listed}
        no_difference = [path for path in listed if path not in found]
        assert (not_listed, no_difference) == ({}, []), values


def test_every_variable_of_the_forms_has_a_marker() -> None:
    texts = " ".join((FORMS / f"{name}.yml").read_text("utf-8") for name in NAMES)
    named = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", texts)) | {"EXTRA_WHEEL", "NCCL_P2P_DISABLE"}

    assert named - {"HOME"} == MARKERS.keys()


def has_override(inventory: dict[str, Any]) -> bool:
    return any("override" in table for table in (inventory.get("defaults", {}), *inventory["tiers"].values()))


def is_custom(name: str) -> bool:
    return any(engine_of(name, tier) == "custom" for tier in inventory_of(name)["tiers"])


def test_most_forms_need_neither_compose_s_own_keys_nor_a_custom_engine() -> None:
    assert len(NAMES) == 28
    assert sum(not has_override(inventory_of(name)) for name in NAMES) >= 20
    assert sum(not is_custom(name) for name in NAMES) >= 22


def test_each_difference_has_a_reason_and_belongs_to_a_form() -> None:
    given = [reason for paths in DIFFERENCES.values() for reason in paths.values()]

    assert DIFFERENCES.keys() <= set(NAMES)
    assert set(given) == LIST["reasons"].keys()
