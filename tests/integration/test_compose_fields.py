"""The table of what fields become is what rendering does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from strange_values import toml

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.inventory.compose_fields import COMPOSE_KEYS, ELSEWHERE, FROM_COMPOSE
from anvil_gen.inventory.schema_own_keys import OWN_KEYS
from anvil_gen.inventory.schema_tier import TierTable

VLLM = {"engine": '"vllm"', "model": '{ path = "/m/x" }', "port": "30001"}
LLAMACPP = {"engine": '"llamacpp"', "model": '{ file = "/m/x.gguf" }', "port": "30001"}
CUSTOM = {"engine": '"custom"', "image": '"x:1"', "port": "30001"}
OTHER = '[services.side]\nimage = "x"\n[secrets.hub_token]\nfile = "x.txt"\n[configs.search]\nfile = "x.txt"\n'
# Field -> keys that follow from what it says: the check's port, what an image needs, the time that an engine stops in.
FOLLOWS: dict[str, set[str]] = {
    "port": {"healthcheck"},
    "container_port": {"healthcheck"},
    "stop_grace_period": {"command"},
    "image": {"cap_add", "security_opt"},
    "build": {"cap_add", "security_opt"},
    "entrypoint": {"command"},
    "gpus": {"image", "cap_add"},
}
# Field -> the tier without it, and its value; of Compose's own keys below.
EXAMPLES: dict[str, tuple[dict[str, str], str]] = {
    "service": (VLLM, '"other"'),
    "container_name": (VLLM, '"other"'),
    "image": (VLLM, '"x:1"'),
    "build": (VLLM, '"."'),
    "served_names": (VLLM, '["a", "b"]'),
    "env_file": (VLLM, '["x.env"]'),
    "pass_": (VLLM, '["A"]'),
    "entrypoint": (VLLM, '["sh"]'),
    "command": (CUSTOM, '["x"]'),
    "flags": (VLLM, "{ enforce-eager = true }"),
    "extra_arguments": (VLLM, '{ env = "EXTRA_ARGS" }'),
    "model": (VLLM, '{ path = "/m/y" }'),
    "draft_model": (LLAMACPP, '{ file = "/m/d.gguf" }'),
    "mmproj": (LLAMACPP, '"/m/p.gguf"'),
    "lora": (LLAMACPP, '{ a = "/m/a" }'),
    "environment": (VLLM, '{ A = "1" }'),
    "gpus": (VLLM, '["a"]'),
    "port": (VLLM, "30002"),
    "container_port": (VLLM, "8000"),
    "bind": (VLLM, '"127.0.0.2"'),
    "ports": (VLLM, '["9000:9000"]'),
    "files": (VLLM, '{ "/x" = "x.txt" }'),
    "caches": (VLLM, "false"),
    "mounts": (VLLM, '{ "/media" = "videos" }'),
    "networks": (VLLM, '["default"]'),
    "healthcheck": (VLLM, "false"),
    "start_period": (VLLM, '"9m"'),
    "restart": (VLLM, '"always"'),
    "init": (VLLM, "false"),
    "stop_grace_period": (VLLM, '"9m"'),
    "shm_size": (CUSTOM, '"1g"'),
    "ipc": (VLLM, '"private"'),
    "logging": (VLLM, "false"),
    "log_max_size": (VLLM, '"9m"'),
    "log_max_files": (VLLM, "9"),
    **{key: (CUSTOM, toml(example).replace('"db', '"side')) for key, (_, example) in OWN_KEYS.items()},
    "volumes_from": (CUSTOM, '["side"]'),
}


def service_of(folder: Path, tier: dict[str, str]) -> dict[str, Any]:
    """Return the file of a tier as parsed, with the name of its service among its keys."""
    lines = [f"{key.rstrip('_')} = {value}" for key, value in tier.items()]
    gpu = '[gpus.a]\nuuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"\n'
    (folder / "x.txt").write_text("x", "utf-8")
    (folder / "box.toml").write_text("\n".join(["schema = 1", gpu, OTHER, "[tiers.chat]", *lines, ""]), "utf-8")
    files = Generator().render(folder / "box.toml").tree.files
    ((name, service),) = yaml.safe_load(files["tiers/chat.yml"])["services"].items()
    return {"services": {"NAME": name}, **service}


def at(service: Any, key: str) -> Any:
    """Return what a service has at a key written with dots."""
    for part in key.split("."):
        service = service.get(part) if isinstance(service, dict) else None
    return service


@pytest.mark.parametrize("field", COMPOSE_KEYS)
def test_a_field_becomes_the_keys_that_the_table_names(field: str, tmp_path: Path) -> None:
    tier, value = EXAMPLES[field]
    before, after = service_of(tmp_path, tier), service_of(tmp_path, {**tier, field: value})
    tops = {key.partition(".")[0] for key in COMPOSE_KEYS[field]}
    follows = FOLLOWS.get(field, set())

    assert [key for key in COMPOSE_KEYS[field] if at(before, key) == at(after, key)] == []
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} <= tops | follows


def test_every_field_of_a_tier_has_its_place() -> None:
    catalog = Catalog()
    engines = [engine for name in catalog.names("engines") if (engine := catalog.engine(name)) is not None]
    told = {name.partition(".")[0] for engine in engines for name in (*engine.fields, *engine.field_env)}

    assert set(TierTable.__struct_fields__) - COMPOSE_KEYS.keys() - ELSEWHERE.keys() - told == set()
    assert COMPOSE_KEYS.keys() & ELSEWHERE.keys() == set()


def test_every_key_that_a_field_becomes_is_read_back() -> None:
    assert {key for keys in COMPOSE_KEYS.values() for key in keys} - FROM_COMPOSE.keys() == set()
