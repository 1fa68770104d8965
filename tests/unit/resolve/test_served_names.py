"""The names that engines are given besides the served one, where a router passes requests on as they are."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from contexts import context_of, server_of, step_compared
from inventories import Fault
from msgspec.structs import replace

from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.model_names import ModelNames, model_names
from anvil_gen.resolve.router import resolve_router_spec
from anvil_gen.resolve.served_names import further_names, takes_any_name

OLD = "engine = 'vllm', image = 'vllm/vllm-openai-cpu:v0.20.1'"
VLLM = f"tiers.one = {{ {OLD} }}\ntiers.two = {{ {OLD}, served_name = 'second' }}\n"


def own_names(context: ResolveContext, servers: Mapping[str, TierServer]) -> dict[str, ModelNames]:
    return {name: model_names(context, server, None) for name, server in servers.items()}


def names_of(context: ResolveContext) -> dict[str, tuple[str, ...]]:
    servers = {name: server_of(context, name) for name in context.inventory.tiers}
    return further_names(context, resolve_router_spec(context, project="box"), servers, own_names(context, servers))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (VLLM, {}),
        (VLLM + "[router]\n", {"one": (), "two": ()}),
        # This router writes the served name itself.
        (VLLM + "[router]\nkind = 'litellm'\naliases.a = 'one'", {}),
        (VLLM + "[router]\naliases = { z = 'one', b = 'two', a = 'one' }", {"one": ("a", "z"), "two": ("b",)}),
        # Those of all modes, since an engine is started with one list.
        (
            VLLM + "router.aliases.a = 'one'\nmodes.m = { tiers = ['one', 'two'], aliases = { a = 'two', c = 'one' } }",
            {"one": ("a", "c"), "two": ("a",)},
        ),
        (VLLM + "router.aliases = { one = 'one', x = 'nobody' }", {"one": (), "two": ()}),
        # A fallback answers to whatever the other one does.
        (
            VLLM + "router = { aliases.a = 'two', fallbacks.two = ['one'] }",
            {"one": ("second", "a"), "two": ("a",)},
        ),
        (
            VLLM + "router = { aliases.a = 'one', fallbacks = { one = ['two'], two = ['one'] } }",
            {"one": ("a", "second"), "two": ("one", "a")},
        ),
        # Not what is a fallback of a fallback.
        (
            VLLM + f"tiers.three = {{ {OLD} }}\n" + "router.fallbacks = { one = ['two'], two = ['three'] }",
            {"one": (), "two": ("one",), "three": ("second",)},
        ),
        # An engine that answers to any name is told none.
        ("tiers.one.engine = 'sglang'\nrouter.aliases.a = 'one'", {"one": ()}),
        ("tiers.one.engine = 'vllm'\nrouter = { aliases.-a = 'one', fallbacks.one = ['one'] }", {"one": ()}),
        ("tiers.one.engine = 'llamacpp'\nrouter.aliases.-a = 'one'", {"one": ()}),
        ("tiers.one.engine = 'nothing'\nrouter.aliases.a = 'one'", {"one": ()}),
        # It has no list of names after a flag.
        ("tiers.one = { engine = 'ollama', model.repo = 'm' }\nrouter.aliases.-a = 'one'", {"one": ("-a",)}),
        (VLLM + "router = { aliases.a = 'two', fallbacks = { nobody = ['one'] } }", {"one": (), "two": ("a",)}),
    ],
)
def test_the_names_of_each_tier(text: str, names: dict[str, tuple[str, ...]]) -> None:
    assert names_of(context_of(text)) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            VLLM + "router.aliases.-a = ▸'two'",
            [("alias that cannot be routed", "router.aliases.-a", 'ask for "second", or write kind = ')],
        ),
        (
            VLLM + "router = {}\nmodes.m = { tiers = ['one'], aliases.-a = ▸'one' }",
            [("alias that cannot be routed", "modes.m.aliases.-a", 'ask for "one", or write kind = ')],
        ),
        # An alias of its own is told where it is written, also where a fallback asks for it.
        (
            VLLM.replace("image = ", "image = ▸", 1) + "modes.m = { tiers = ['two'], aliases.-a = ▸'two' }\n"
            "router = { aliases.-a = ▸'one', fallbacks.two = ['one'] }",
            [
                ("a new alias restarts the tier", "tiers.one.image", "take a newer image"),
                ("alias that cannot be routed", "modes.m.aliases.-a", 'ask for "second"'),
                ("alias that cannot be routed", "router.aliases.-a", 'ask for "one"'),
            ],
        ),
        # Once, however often it is written.
        (
            VLLM + "router.aliases.-a = 'one'\nmodes.m = { tiers = ['one'], aliases.-a = ▸'one' }",
            [("alias that cannot be routed", "modes.m.aliases.-a", 'ask for "one", or write kind = ')],
        ),
    ],
)
def test_names_that_an_engine_cannot_be_given(text: str, expected: list[Fault]) -> None:
    found, wanted = step_compared(text, names_of, expected)

    assert found == wanted


def test_an_engine_that_answers_to_one_name_is_given_no_other() -> None:
    context = context_of(VLLM + "router = { aliases.a = 'two', aliases.second = 'two' }")
    servers = {name: server_of(context, name) for name in ("one", "two")}
    engine = servers["two"].engine
    assert engine is not None
    servers["two"] = replace(servers["two"], engine=replace(engine, served_names="one"))
    found = further_names(context, resolve_router_spec(context, project="box"), servers, own_names(context, servers))

    assert found == {"one": (), "two": ()}
    assert [(told.address, told.detail) for told in context.collector.diagnostics] == [
        ("router.aliases.a", 'HAProxy passes requests on as they are, and vLLM answers to "second" alone')
    ]


@pytest.mark.parametrize(
    ("image", "older"),
    [
        ("vllm/vllm-openai-cpu:v0.20.1", True),
        ("vllm/vllm-openai-cpu:v0.9.0.1", True),
        ("vllm/vllm-openai-cpu:v0.20.1@sha256:1", True),
        ("vllm/vllm-openai-cpu:v0.21", False),
        ("vllm/vllm-openai-cpu:v0.21.0-cu129", False),
        ("vllm/vllm-openai-cpu:v1.0.0", False),
        ("vllm/vllm-openai-cpu:latest", False),
        ("vllm/vllm-openai-cpu:nightly", False),
        ("registry:5000/vllm", False),
        ("registry.example:0.1/vllm:latest", False),
    ],
)
def test_only_images_that_are_known_to_be_older_are_told_aliases(image: str, older: bool) -> None:
    tier = f"tiers.one = {{ engine = 'vllm', image = '{image}' }}\n"
    context = context_of(tier + "[router]\naliases.a = 'one'")
    spec, server = resolve_router_spec(context, project="box"), server_of(context, "one")

    assert takes_any_name(spec, server) is not older
    assert names_of(context) == {"one": ("a",) if older else ()}
    warned = [(told.code, told.address, told.severity) for told in context.collector.diagnostics]
    assert warned == ([("alias-restarts-the-tier", "tiers.one.image", "warning")] if older else [])


@pytest.mark.parametrize("router", ["", "[router]\nkind = 'litellm'", "[router]\nkind = 'anvil'"])
def test_without_such_a_router_an_engine_keeps_to_its_names(router: str) -> None:
    context = context_of("tiers.one.engine = 'vllm'\n" + router)

    assert not takes_any_name(resolve_router_spec(context, project="box"), server_of(context, "one"))


def test_an_alias_that_sglang_would_take_for_an_adapter_is_refused() -> None:
    text = "tiers.one.engine = 'sglang'\nrouter.aliases.'a:b' = ▸'one'\n"
    found, wanted = step_compared(
        text, names_of, [("alias that cannot be routed", 'router.aliases."a:b"', 'ask for "one", or write kind = ')]
    )

    assert found == wanted
