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
from anvil_gen.resolve.served_names import further_names

VLLM = "tiers.one.engine = 'vllm'\ntiers.two = { engine = 'vllm', served_name = 'second' }\n"


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
            VLLM + "tiers.three.engine = 'vllm'\nrouter.fallbacks = { one = ['two'], two = ['three'] }",
            {"one": (), "two": ("one",), "three": ("second",)},
        ),
        # An engine that answers to any name is told none.
        ("tiers.one.engine = 'sglang'\nrouter.aliases.a = 'one'", {"one": ()}),
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
            VLLM + "modes.m = { tiers = ['two'], aliases.-a = ▸'two' }\n"
            "router = { aliases.-a = ▸'one', fallbacks.two = ['one'] }",
            [
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
