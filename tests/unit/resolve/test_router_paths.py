"""The paths that a router answers, and the tier of a request there that names no model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inventories import Fault, compared

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.router_model import PathRoute

VLLM = '[tiers.{0}]\nengine = "vllm"\nmodel = {{ path = "/m/{0}" }}\nport = {1}\n'
CODE = '[tiers.code]\nengine = "llamacpp"\nmodel = { file = "/m/c.gguf" }\nport = 9003\n'
EMBED = '[tiers.embed]\nengine = "tei"\ntask = "embedding"\nmodel = { path = "/m/e" }\nport = 9004\n'
TALK = VLLM.format("talk", 9001)
THINK = VLLM.format("think", 9002)

# Tiers, keys of [router], a path, and the tier of a request there without a model; None where nothing is there.
NAMELESS = [
    (TALK, "", "/v1/chat/completions", ""),
    (TALK, "default_tier = 'talk'", "/v1/chat/completions", "talk"),
    (TALK, "", "/tokenize", "talk"),
    (TALK, "", "/v1/responses/{id}", "talk"),
    (TALK, "", "/infill", None),
    (TALK, "", "/embed", None),
    (TALK + THINK, "", "/tokenize", ""),
    (TALK + THINK, "default_tier = 'think'", "/tokenize", "think"),
    (TALK + THINK + CODE, "default_tier = 'think'", "/infill", "code"),
    (TALK + EMBED, "", "/embed", "embed"),
    (TALK + EMBED, "", "/v1/embeddings", "embed"),
    (TALK, "paths.'/v1/images/generations' = 'talk'", "/v1/images/generations", "talk"),
    (TALK + THINK, "paths.'/tokenize' = 'think'", "/tokenize", "think"),
    (TALK + THINK, "paths.'/v1/completions' = 'think'", "/v1/completions", "think"),
]


@pytest.mark.parametrize(("tiers", "router", "path", "tier"), NAMELESS)
def test_where_a_request_without_a_model_goes(
    tiers: str, router: str, path: str, tier: str | None, tmp_path: Path
) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{tiers}[router]\n{router}\n", "utf-8")
    made = Generator().render(inventory).host.stack.router
    assert made is not None

    assert {route.path: route.tier for route in made.paths}.get(path) == tier


def matches(path: str, asked: str) -> bool:
    return re.search(PathRoute(path=path, tier="", tiers=(), own=True, form=False).pattern, asked) is not None


@pytest.mark.parametrize("asked", ["/v1/responses/resp_1", "/v1/responses/a.b-c~d:e"])
def test_any_part_is_one_part(asked: str) -> None:
    assert matches("/v1/responses/{id}", asked)


@pytest.mark.parametrize(
    "asked",
    [
        *("/v1/responses/", "/v1/responses/a/b", "/v1/responses/..", "/v1/responses/.a", "/v1/responses/%2e%2e"),
        *("/v1/responses/a%2fb", "/x/v1/responses/a", "/v1/responses/a b", "/v1xresponses/a"),
    ],
)
def test_no_part_leads_elsewhere(asked: str) -> None:
    assert not matches("/v1/responses/{id}", asked)


def test_paths_of_engines_are_paths() -> None:
    pattern = re.compile(r"(/([A-Za-z0-9_-]+|\{[a-z]+\}))+")
    engines = [Catalog().engine(name) for name in Catalog().names("engines")]
    paths = [path for engine in engines if engine for listed in engine.paths.values() for path in listed]

    assert paths
    assert all(pattern.fullmatch(path) for path in paths)
    assert all(set(engine.paths) <= set(engine.tasks) for engine in engines if engine)


FAULTS: list[tuple[str, list[Fault]]] = [
    ("paths.▸'/health' = 'talk'", [("not for this router", 'router.paths."/health"', "remove it")]),
    ("paths.'/a/b' = ▸'tlak'", [("unknown tier", 'router.paths."/a/b"', 'did you mean "talk"?')]),
    ("paths.▸'/a/../b' = 'talk'", [("name that is not allowed", 'router.paths."/a/../b"', "any one part")]),
    ("cors = [▸'example.org']", [("not of the right form", "router.cors[0]", "as browsers send it")]),
]


@pytest.mark.parametrize(("router", "expected"), FAULTS)
def test_a_path_that_cannot_be(router: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(f"schema = 1\n{TALK}[router]\n{router}\n", expected, tmp_path)

    assert found == wanted
