"""What a tier says of its models, drafts, adapters, variables and build: what real Compose reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.model import Stack

HEAD = 'schema = 1\n[paths]\nmodels = "/srv/models"\n[hfcache]\nvolume = "hfcache"\n[tiers.tier]\n'
PRESETS = "version = 1\n[*]\nctx-size = 512\n[gamma]\nmodel = /models/a.gguf\n[org/delta:Q4]\nmodel = /models/b.gguf\n"


def rendered(folder: Path, tier: str, rest: str = "") -> tuple[Stack, dict[str, Any]]:
    """Return what an inventory resolves to, and the services of its tier as Compose reads them."""
    hosts = folder / "hosts"
    hosts.mkdir()
    (hosts / "presets.ini").write_text(PRESETS, "utf-8")
    (hosts / "serving.env").write_text("FROM_FILE=1\n", "utf-8")
    (hosts / "box.toml").write_text(HEAD + tier + rest, "utf-8")
    plan = Generator().render(hosts / "box.toml")
    for path, text in plan.tree.files.items():
        (folder / "deploy" / "box" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "deploy" / "box" / path).write_text(text, "utf-8")
    config = compose_config(folder / "deploy" / "box", env={"GIVEN": "g"})
    return plan.host.stack, config["services"]


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the bind mounts of a service: source and target."""
    return [(mount["source"], mount["target"]) for mount in service["volumes"] if mount["type"] == "bind"]


COMMANDS = [
    (
        'engine = "vllm"\nmodel = { path = "/srv/weights/linnet", mount = "/model" }\nserved_names = ["a", "b"]\n',
        ["serve", "/model", "--served-model-name", "a", "b", "--port=8001", "--host=0.0.0.0", "--shutdown-timeout=50"],
        [("/srv/weights/linnet", "/model")],
    ),
    # The keys of the JSON that no field has are the tier's own, however it spells the flag.
    (
        'engine = "vllm"\nmodel.path = "m"\ndraft_model = { repo = "org/eagle", revision = "abc" }\n'
        'flags.speculative_config = { method = "eagle3", num_speculative_tokens = 4 }\n',
        [
            *("serve", "/models/m", "--served-model-name=tier"),
            '--speculative-config={"method":"eagle3","model":"org/eagle","num_speculative_tokens":4,"revision":"abc"}',
            *("--port=8001", "--host=0.0.0.0", "--shutdown-timeout=50"),
        ],
        [("/srv/models/m", "/models/m")],
    ),
    (
        'engine = "vllm"\nmodel.path = "m"\ndraft_model.path = "draft"\n',
        [
            *("serve", "/models/m", "--served-model-name=tier", '--speculative-config={"model":"/models/draft"}'),
            *("--port=8001", "--host=0.0.0.0", "--shutdown-timeout=50"),
        ],
        [("/srv/models/m", "/models/m"), ("/srv/models/draft", "/models/draft")],
    ),
    (
        'engine = "sglang"\nmodel.path = "m"\ndraft_model = { repo = "org/eagle", revision = "abc" }\n'
        'flags.speculative-algorithm = "EAGLE3"\nlora.sql = { path = "sql", rank = 24 }\n',
        [
            *("--model-path=/models/m", "--served-model-name=tier", "--speculative-draft-model-path=org/eagle"),
            *("--speculative-draft-model-revision=abc", "--lora-paths", "sql=/models/sql", "--max-lora-rank=24"),
            *("--port=30000", "--host=0.0.0.0", "--speculative-algorithm=EAGLE3"),
        ],
        [("/srv/models/m", "/models/m"), ("/srv/models/sql", "/models/sql")],
    ),
    # The rank is the next one that the engine takes.
    (
        'engine = "vllm"\nmodel.path = "m"\n[tiers.tier.lora]\nsql = "sql"\nlaw = { repo = "org/law", rank = 20 }\n'
        'old = { path = "/a/old", rank = 8 }\n',
        [
            *("serve", "/models/m", "--served-model-name=tier"),
            *("--lora-modules", "law=org/law", "old=/models/old", "sql=/models/sql"),
            *("--enable-lora", "--max-lora-rank=32", "--port=8001", "--host=0.0.0.0"),
            "--shutdown-timeout=50",
        ],
        [("/srv/models/m", "/models/m"), ("/a/old", "/models/old"), ("/srv/models/sql", "/models/sql")],
    ),
    (
        'engine = "llamacpp"\nmodel.file = "big/m-00001-of-00003.gguf"\ndraft_model.repo = "org/draft:Q4"\n',
        [
            *("--model", "/models/big/m-00001-of-00003.gguf", "--alias", "tier", "--hf-repo-draft", "org/draft:Q4"),
            *("--spec-type", "draft-simple", "--port", "8080", "--host", "0.0.0.0", "--jinja", "--no-webui"),
        ],
        [(f"/srv/models/big/m-0000{n}-of-00003.gguf", f"/models/big/m-0000{n}-of-00003.gguf") for n in (1, 2, 3)],
    ),
    (
        'engine = "llamacpp"\nmodel = { file = "m-00001-of-00002.gguf", mount = "/x/y-00001-of-00002.gguf" }\n',
        [
            *("--model", "/x/y-00001-of-00002.gguf", "--alias", "tier"),
            *("--port", "8080", "--host", "0.0.0.0", "--jinja", "--no-webui"),
        ],
        [(f"/srv/models/m-0000{n}-of-00002.gguf", f"/x/y-0000{n}-of-00002.gguf") for n in (1, 2)],
    ),
    (
        'engine = "llamacpp"\nmodel.folder = "gguf"\nserved_names = ["a"]\n',
        ["--models-dir", "/models", "--port", "8080", "--host", "0.0.0.0", "--jinja", "--no-webui"],
        [("/srv/models/gguf", "/models")],
    ),
    # Where something else names the model, the command does not.
    (
        'engine = "llamacpp"\nenvironment.LLAMA_ARG_MODEL = "/x.gguf"\n',
        ["--alias", "tier", "--port", "8080", "--host", "0.0.0.0", "--jinja", "--no-webui"],
        [],
    ),
    (
        'engine = "vllm"\nimage = "own/baked:1"\nmodel = false\n',
        ["serve", "--served-model-name=tier", "--port=8001", "--host=0.0.0.0", "--shutdown-timeout=50"],
        [],
    ),
]


@pytest.mark.parametrize(("tier", "command", "binds"), COMMANDS)
def test_an_engine_is_told_its_models(
    tier: str, command: list[str], binds: list[tuple[str, str]], tmp_path: Path
) -> None:
    service = rendered(tmp_path, tier)[1]["tier"]

    assert service["command"] == command
    assert mounts({"volumes": [], **service}) == binds


def test_presets_are_copied_and_their_models_are_routed(tmp_path: Path) -> None:
    stack, services = rendered(
        tmp_path, 'engine = "llamacpp"\nmodel = { presets = "presets.ini", folder = "/srv/gguf" }\n', "[router]\n"
    )
    copied = tmp_path / "deploy/box/tiers/tier.files/etc/models/presets.ini"

    assert services["tier"]["command"][:4] == [
        *("--models-dir", "/models", "--models-preset", "/etc/models/presets.ini"),
    ]
    assert mounts(services["tier"]) == [("/srv/gguf", "/models"), (str(copied), "/etc/models/presets.ini")]
    assert copied.read_text("utf-8") == PRESETS
    assert stack.router is not None
    assert [(route.name, route.tier) for route in stack.router.routes] == [("gamma", "tier"), ("org/delta:Q4", "tier")]


NAMES = [
    ('engine = "vllm"\nmodel.path = "m"\nlora.sql = "sql"\nserved_names = ["a", "b"]\n', ["a", "b", "sql"]),
    ('engine = "sglang"\nmodel.path = "m"\nlora.sql = "sql"\n', ["tier", "tier:sql"]),
    ('engine = "llamacpp"\nmodel.file = "m"\nlora.sql = "sql"\n', ["tier"]),
    ('engine = "llamacpp"\nmodel.folder = "gguf"\nserved_names = ["a", "b"]\n', ["a", "b"]),
    ('engine = "llamacpp"\nmodel.presets = "presets.ini"\nserved_names = ["gamma"]\n', ["gamma"]),
    ('engine = "ollama"\nmodel.repos = ["coot:8b", "embed"]\n', ["coot:8b", "embed"]),
    ('engine = "ollama"\nserved_names = ["later:1b"]\n', ["later:1b"]),
]


@pytest.mark.parametrize("kind", ["haproxy", "litellm", "anvil"])
@pytest.mark.parametrize(("tier", "names"), NAMES)
def test_each_model_is_routed_by_its_own_name(tier: str, names: list[str], kind: str, tmp_path: Path) -> None:
    stack, _ = rendered(tmp_path, tier, f'[router]\nkind = "{kind}"\n')

    assert stack.router is not None
    assert [(route.name, route.model, route.how) for route in stack.router.routes] == [
        (name, name, "served") for name in names
    ]


def test_several_models_of_one_ollama_are_pulled(tmp_path: Path) -> None:
    services = rendered(tmp_path, 'engine = "ollama"\nmodel.repos = ["coot:8b", "coot-embed"]\n')[1]

    assert services["tier-pull"]["command"][1:] == ["pull", "coot:8b", "coot-embed"]
    assert services["tier"]["depends_on"]["tier-pull"]["condition"] == "service_completed_successfully"


def test_an_ollama_without_a_model_pulls_nothing_and_keeps_its_cache(tmp_path: Path) -> None:
    services = rendered(tmp_path, 'engine = "ollama"\n')[1]

    assert services.keys() == {"tier"}
    assert [mount["target"] for mount in services["tier"]["volumes"]] == ["/hub"]
    assert services["tier"]["environment"]["OLLAMA_MODELS"] == "/hub/ollama"


def test_variables_come_from_files_and_by_name(tmp_path: Path) -> None:
    tier = (
        'engine = "vllm"\nmodel.path = "m"\npass = ["GIVEN", "NOT_SET"]\n'
        'env_file = ["serving.env", { path = "none.env", required = false }]\n'
    )
    environment = rendered(tmp_path, tier)[1]["tier"]["environment"]
    text = (tmp_path / "deploy/box/tiers/tier.yml").read_text("utf-8")

    assert environment == {"FROM_FILE": "1", "GIVEN": "g", "NOT_SET": None}
    assert '"../../../hosts/serving.env"' in text
    assert "FROM_FILE" not in text


def test_what_a_build_says_is_composes_own(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    tier = 'engine = "vllm"\nmodel.path = "m"\nbuild = { context = "../images", args.V = { env = "GIVEN" } }\n'
    service = rendered(tmp_path, tier, '[defaults]\nimage = "official:1"\n')[1]["tier"]

    assert service["build"]["context"] == str(tmp_path / "images")
    assert service["build"]["args"] == {"V": "g"}
    assert "image" not in service


def test_an_image_next_to_a_build_is_its_name(tmp_path: Path) -> None:
    tier = 'engine = "vllm"\nimage = "own:1"\nmodel.path = "m"\nbuild = "."\n'
    service = rendered(tmp_path, tier)[1]["tier"]

    assert (service["image"], service["build"]["context"]) == ("own:1", str(tmp_path / "hosts"))


MODELS = 'schema = 1\npaths.models = "/srv/models"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f'{MODELS}tiers.one = {{ engine = "llamacpp", model.file = ▸"m-00002-of-00003.gguf" }}',
            [("not for this model", "tiers.one.model.file", 'write "m-00001-of-00003.gguf"')],
        ),
        (
            f"{MODELS}tiers.one.engine = 'llamacpp'\n"
            'tiers.one.model = { file = "m-00001-of-00003.gguf", mount = ▸"/m" }',
            [("not for this model", "tiers.one.model.mount", 'let it end in "-00001-of-00003.gguf"')],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model = {{ path = "m", mount = ▸"/x/../y" }} }}',
            [("name that is not allowed", "tiers.one.model.mount", "write it out")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "/a/m", draft_model = ▸{{ path = "/b/m" }} }}',
            [("conflicting values", "tiers.one.draft_model", 'with "mount"')],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.folder = ▸"m" }}',
            [("not for this engine", "tiers.one.model.folder", "use path or repo")],
        ),
        (
            f'{MODELS}router = {{}}\ntiers.▸one = {{ engine = "llamacpp", model.folder = "m" }}',
            [("missing key", "tiers.one", "write served_names")],
        ),
        (
            f'{MODELS}router.aliases.x = ▸"one"\n'
            'tiers.one = { engine = "llamacpp", model.folder = "m", served_names = ["y"] }',
            [("alias that cannot be routed", "router.aliases.x", 'ask for "y"')],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "llamacpp", model.folder = "m", ▸mmproj = "p" }}',
            [("not for this model", "tiers.one.mmproj", "write it in the presets")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", ▸served_name = "x", served_names = ["y"] }}',
            [("two fields for one thing", "tiers.one.served_name", "keep one of them")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", lora.x = {{ path = "l", rank = ▸999 }} }}',
            [("number out of range", "tiers.one.lora.x.rank", "take an adapter of a lower rank")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "llamacpp", model.file = "m", lora.x.repo = ▸"org/l" }}',
            [("not for this engine", "tiers.one.lora.x.repo", "download it, and write path")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", draft_model.path = "d", '
            'flags.▸speculative-config = { model = "x" } }',
            [("flag of a field", "tiers.one.flags.speculative-config", 'without "model"')],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", environment.X = "1", pass = [▸"X"] }}',
            [("two fields for one thing", "tiers.one.pass[0]", "keep one of them")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "llamacpp", model.file = "m", mmproj = ▸["a", "b"] }}',
            [("wrong type", "tiers.one.mmproj", "llama.cpp loads one")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", build.args.▸API_KEY = "x" }}',
            [("secret in the inventory", "tiers.one.build.args.API_KEY", "")],
        ),
        (
            f'{MODELS}tiers.one = {{ engine = "vllm", model.path = "m", ▸build = "." }}',
            [("changes of a build are not noticed", "tiers.one.build", "docker compose up -d --build one")],
        ),
    ],
)
def test_what_cannot_be(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted
