"""The real router loads what is generated for every mix of tasks; what it could not load is refused."""

from __future__ import annotations

from pathlib import Path

import anvil_serving.router.config as router_config
import pytest
import yaml
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

TIERS = {
    "chat": '[tiers.chat]\nengine = "vllm"\nmodel = { path = "/m/c" }\nport = 9001\n',
    "embedding": '[tiers.embed]\nengine = "tei"\ntask = "embedding"\nmodel = { path = "/m/e" }\nport = 9002\n',
    "rerank": '[tiers.rerank]\nengine = "tei"\ntask = "rerank"\nmodel = { path = "/m/r" }\nport = 9003\n',
    "speech": '[tiers.speech]\nengine = "custom"\ntask = "speech"\nimage = "x:1"\nport = 9004\n',
}
MIXES = [("chat",), ("chat", "embedding"), ("chat", "rerank", "embedding"), ("chat", "speech"), tuple(TIERS)]


@pytest.mark.parametrize("mix", MIXES, ids="+".join)
def test_the_router_loads_every_mix_of_tasks(mix: tuple[str, ...], tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    router = '[router]\nkind = "anvil"\naliases.x = "chat"\n'
    inventory.write_text(f"schema = 1\n{''.join(TIERS[task] for task in mix)}{router}", "utf-8")
    (tmp_path / "router.toml").write_text(Generator().render(inventory).tree.files["router/router.toml"], "utf-8")
    config = router_config.load(str(tmp_path / "router.toml"))

    assert dict(config.model_routes) == {"chat": "chat", "x": "chat"}
    assert sorted(model.kind for model in config.purpose_models) == sorted(set(mix) & {"embedding", "rerank"})


FAULTS: list[tuple[str, list[Fault]]] = [
    (TIERS["embedding"] + '[▸router]\nkind = "anvil"\n', [("router without a tier", "router", "add such a tier")]),
    (
        TIERS["chat"] + TIERS["embedding"] + '[router]\nkind = "anvil"\naliases.e = ▸"embed"\n',
        [
            (
                "alias that cannot be routed",
                "router.aliases.e",
                'ask for "embed", or write kind = "haproxy" or "litellm"',
            )
        ],
    ),
    (
        TIERS["chat"] + '[router]\nkind = "anvil"\napi_key_env = ▸"HOME"\n',
        [("variable taken twice", "router.api_key_env", "ROUTER_TOKEN")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_what_the_router_would_refuse(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared("schema = 1\n" + text, expected, tmp_path)

    assert found == wanted


def test_names_in_yaml_that_compose_does_not_read_keep_their_dollars(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    router = "[router]\nkind = 'litellm'\nfallbacks.chat = ['other']\n[router.aliases]\n'a$b${C}' = 'chat'\n"
    other = TIERS["chat"].replace("tiers.chat", "tiers.other").replace("9001", "9009")
    inventory.write_text(f"schema = 1\n{TIERS['chat']}{other}{router}", "utf-8")
    config = yaml.safe_load(Generator().render(inventory).tree.files["router/litellm.yaml"])
    named = {entry["model_name"]: entry["litellm_params"]["model"] for entry in config["model_list"]}

    assert named == {"chat": "hosted_vllm/chat", "other": "hosted_vllm/other", "a$b${C}": "hosted_vllm/chat"}
    assert config["router_settings"]["fallbacks"] == [{"chat": ["other"]}, {"a$b${C}": ["other"]}]
