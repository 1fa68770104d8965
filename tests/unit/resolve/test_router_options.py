"""What `[router]` asks for: what the chosen router cannot do is told, with those that can."""

from __future__ import annotations

from pathlib import Path

import pytest
from haproxy_words import load_cfg
from inventories import Fault, compared

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.router_features import FEATURES, REQUESTABLE
from anvil_gen.deploy.pipeline import Generator

FAST = '[tiers.fast]\nengine = "vllm"\nmodel = { path = "/m/f" }\nport = 9001\n'
SLOW = '[tiers.slow]\nengine = "vllm"\nmodel = { path = "/m/s" }\nport = 9002\n'
OTHER = '[tiers.embed]\nengine = "tei"\ntask = "embedding"\nmodel = { path = "/m/e" }\nport = 9003\n'
ANVIL = '[router]\nkind = "anvil"\n'

# What the other router cannot do, one wish each.
CANNOT = [
    ('▸api_key_env = ["A", "B"]', "router.api_key_env"),
    ('▸api_key_env = { me = "A", you = "B" }', "router.api_key_env"),
    (f'▸api_key_sha256 = {{ me = "{"0" * 64}" }}', "router.api_key_sha256"),
    ('▸default_tier = "fast"', "router.default_tier"),
    ('▸body_limit = "1m"', "router.body_limit"),
    ('▸tls = { certificate = "/a", key = "/b" }', "router.tls"),
    ('▸fallbacks = { fast = ["slow"] }', "router.fallbacks"),
    ("▸metrics = 9101", "router.metrics"),
    ("▸paths = { '/infill' = 'fast' }", "router.paths"),
    ("▸cors = ['*']", "router.cors"),
    ('tiers.fast.▸timeout = "1m"', "router.tiers.fast.timeout"),
    ("tiers.fast.▸concurrency = 4", "router.tiers.fast.concurrency"),
]


@pytest.mark.parametrize(("wish", "address"), CANNOT)
def test_what_a_router_cannot_do_names_those_that_can(wish: str, address: str, tmp_path: Path) -> None:
    found, wanted = compared(
        f"schema = 1\n{FAST}{SLOW}{ANVIL}{wish}\n", [("not for this router", address, '"haproxy"')], tmp_path
    )

    assert found == wanted


FAULTS: list[tuple[str, list[Fault]]] = [
    ('[router]\napi_key_env = ▸["A", "A"]\n', [("variable taken twice", "router.api_key_env", "another variable")]),
    (
        '[router]\napi_key_env = ▸{ me = "A", you = "A" }\n',
        [("variable taken twice", "router.api_key_env", "another variable")],
    ),
    ('[router]\napi_key_env = ▸["PATH"]\n', [("variable taken twice", "router.api_key_env", "ROUTER_TOKEN")]),
    ('[router]\ndefault_tier = ▸"fats"\n', [("unknown tier", "router.default_tier", 'did you mean "fast"?')]),
    ('[router]\ntiers.▸fats.timeout = "1m"\n', [("unknown tier", "router.tiers.fats", 'did you mean "fast"?')]),
    ('[router]\ntimeout = ▸"10ms"\n', [("number out of range", "router.timeout", "between 1s and 168h")]),
    ('[router]\ntiers.fast.timeout = ▸"200h"\n', [("number out of range", "router.tiers.fast.timeout", "168h")]),
    ('[router]\nbody_limit = ▸"2g"\n', [("number out of range", "router.body_limit", '"1g"')]),
    ('[router]\nfallbacks.fast = [▸"fast"]\n', [("fallback to itself", "router.fallbacks.fast[0]", "another tier")]),
    (
        '[router]\nfallbacks.fast = ["slow", ▸"slow"]\n',
        [("tier named twice", "router.fallbacks.fast[1]", "name each tier once")],
    ),
    ('[router]\nfallbacks.▸fats = ["slow"]\n', [("unknown tier", "router.fallbacks.fats", 'did you mean "fast"?')]),
    (
        '[router]\nfallbacks.fast = [▸"embed"]\n',
        [("fallback of another task", "router.fallbacks.fast[0]", "name a tier for chat")],
    ),
    (
        '[router]\ntls = { certificate = ▸"a.pem", key = "/b.pem" }\n',
        [("not an absolute path", "router.tls.certificate", "from the root on")],
    ),
    ("[router]\nmetrics = ▸8000\n", [("port taken twice", "router.metrics", "another port")]),
    ('[router]\nbind = "::1"\nmetrics = ▸8000\n', [("port taken twice", "router.metrics", "another port")]),
    ("[router]\nbind = false\nmetrics = ▸8000\n", [("port taken twice", "router.metrics", "another port")]),
    (
        '[router]\naliases."é" = ▸"fast"\n',
        [("model name that cannot be routed", 'router.aliases."é"', 'kind = "anvil" or "litellm"')],
    ),
    (
        '[router]\naliases."#a" = ▸"fast"\n',
        [("model name that cannot be routed", 'router.aliases."#a"', "another name")],
    ),
    (
        '[tiers.old]\nengine = "vllm"\nimage = "vllm/vllm-openai-cpu:v0.20.0"\nmodel = { path = "/m/o" }\nport = 9004\n'
        '[router]\naliases."-a" = ▸"old"\n',
        [("alias that cannot be routed", "router.aliases.-a", "rewrites names")],
    ),
    # Its answer does not say which of two tiers with one port it is.
    (
        '[tiers.second]\nengine = "tei"\ntask = "embedding"\nmodel = { path = "/m/e" }\nport = 9011\n'
        "container_port = ▸9009\n"
        '[tiers.third]\nengine = "tei"\ntask = "rerank"\nmodel = { path = "/m/r" }\nport = 9012\n'
        "container_port = ▸9009\n"
        "[router]\n",
        [
            ("port taken twice", "tiers.second.container_port", "write another port"),
            ("port taken twice", "tiers.third.container_port", "write another port"),
        ],
    ),
    # Its own loopback is where HAProxy takes commands.
    ("[router]\nport = ▸64001\n", [("port taken twice", "router.port", "another port")]),
    ("[router]\nmetrics = ▸64002\n", [("port taken twice", "router.metrics", "another port")]),
    (
        '[router]\noverride.network_mode = ▸"host"\n',
        [("not for this router", "router.override.network_mode", "remove it")],
    ),
    ('[router]\nkind = "anvil"\nport = 64001\noverride.network_mode = "host"\n', []),
]


@pytest.mark.parametrize(("router", "expected"), FAULTS)
def test_a_wish_that_makes_no_sense(router: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(f"schema = 1\n{FAST}{SLOW}{OTHER}{router}", expected, tmp_path)

    assert found == wanted


def test_a_fallback_needs_a_mode_in_which_both_run(tmp_path: Path) -> None:
    standby = SLOW + "standby = true\n"
    router = '[router]\nfallbacks.fast = [▸"slow"]\n'
    diagnostic: Fault = ("fallback that never runs", "router.fallbacks.fast[0]", "a mode")
    found, wanted = compared(f"schema = 1\n{FAST}{standby}{router}", [diagnostic], tmp_path)
    assert found == wanted

    together = f'schema = 1\n{FAST}{standby}{router.replace("▸", "")}[modes.both]\ntiers = ["fast", "slow"]\n'
    assert compared(together, [], tmp_path) == ([], [])


def test_a_tier_keeps_its_own_concurrency_where_it_stands_in(tmp_path: Path) -> None:
    router = "[router]\nfallbacks.fast = ['slow']\nfallbacks.slow = ['fast']\ntiers.slow.concurrency = 2\n"
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{FAST}{SLOW}{router}", "utf-8")
    lines = load_cfg(Generator().render(inventory).tree.files["router/haproxy.cfg"], "x")

    fast, slow = ["server", "fast", "fast:9001"], ["server", "slow", "slow:9002", "maxconn", "2"]
    assert [words for words in lines if words[:1] == ["server"]] == [fast, slow, slow, fast]


@pytest.mark.parametrize("name", Catalog().names("routers"))
def test_every_capability_is_claimed_or_denied(name: str) -> None:
    kind = Catalog().router(name)
    assert kind is not None

    assert sorted({*kind.supports, *kind.unsupported}) == sorted(FEATURES)
    assert set(kind.supports).isdisjoint(kind.unsupported)
    assert list(kind.supports) == sorted(kind.supports)


@pytest.mark.parametrize("wish", REQUESTABLE)
def test_every_wish_comes_true_with_some_router(wish: str) -> None:
    kinds = [Catalog().router(name) for name in Catalog().names("routers")]

    assert any(kind is not None and wish in kind.supports for kind in kinds)
