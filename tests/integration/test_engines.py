"""Every engine, card vendor and example: what real Compose reads of it, in every mode."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from places import REPOSITORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator

EXAMPLES = REPOSITORY / "examples"
ROOTS = sorted(EXAMPLES.glob("*/docker-compose*.yml"))
PARTS = sorted(path for path in EXAMPLES.glob("*/*/*.yml"))
CARDS = """
[gpus.n]
uuid = "GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01"
compute_capability = "8.9"
[gpus.m]
uuid = "GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a02"
compute_capability = "8.9"
[gpus.amd]
vendor = "amd"
uuid = "GPU-1a2b3c4d5e6f7a8b"
[gpus.intel]
vendor = "intel"
uuid = "1"
"""
HEAD = f'schema = 1\n[paths]\nmodels = "/srv/models"\n[hfcache]\nvolume = "hfcache"\n{CARDS}\n[tiers.tier]\n'


def services(folder: Path, tier: str, rest: str = "") -> dict[str, Any]:
    """Return the services of a tier's file, as Compose reads them."""
    inventory = folder / "box.toml"
    inventory.write_text(HEAD + tier + rest, "utf-8")
    (folder / "tiers").mkdir()
    (folder / "tiers" / "tier.yml").write_text(Generator().render(inventory).tree.files["tiers/tier.yml"], "utf-8")
    read: dict[str, Any] = compose_config(folder / "tiers", "tier.yml")["services"]
    return read


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: f"{root.parent.name}/{root.name}")
def test_every_root_of_every_example_is_accepted(root: Path) -> None:
    config = compose_config(root.parent, root.name, env={"MODEL": "org/model"})

    assert config["services"]
    assert all(service.get("image") or service.get("build") for service in config["services"].values())


@pytest.mark.parametrize("file", PARTS, ids=lambda file: "/".join(file.parts[-3:]))
def test_every_part_of_every_example_is_of_the_same_project_used_alone(file: Path) -> None:
    root = compose_config(file.parent.parent, "docker-compose.yml")

    assert compose_config(file.parent, file.name)["name"] == root["name"]


def test_every_mode_and_the_experiment_of_each_host_is_among_them() -> None:
    expected = set()
    for inventory in (EXAMPLES.parent / "hosts").glob("*.toml"):
        data = tomllib.loads(inventory.read_text("utf-8"))
        names = [
            "",
            *(f".{mode}" for mode in data.get("modes", {})),
            *([".experiment"] if "experiment" in data else []),
        ]
        expected |= {f"{inventory.stem}/docker-compose{name}.yml" for name in names}

    assert {f"{root.parent.name}/{root.name}" for root in ROOTS} == expected
    assert len({root.parent.name for root in ROOTS}) == 5


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.iterdir()))
def test_every_example_is_introduced(example: str) -> None:
    assert (EXAMPLES / example / "README.md").read_text("utf-8").startswith(f"# {example}\n")


COMMANDS = [
    (
        'engine = "llamacpp"\ngpus = ["n", "m"]\nmodel = { file = "a.gguf" }\nmmproj = "p.gguf"\n'
        "context_length = 4096\n"
        'draft_model = { file = "d.gguf" }\nlora = { sql = "s.gguf", fun = "f.gguf" }\nkv_cache_dtype = "q8_0"\n',
        "ghcr.io/ggml-org/llama.cpp:server-cuda-b11382",
        "/app/llama-server --model /models/a.gguf --alias tier --model-draft /models/d.gguf "
        "--spec-type draft-simple --mmproj /models/p.gguf --lora /models/f.gguf --lora /models/s.gguf --ctx-size 4096 "
        "--cache-type-k q8_0 --cache-type-v q8_0 --port 8080 --host 0.0.0.0 --jinja --no-webui --n-gpu-layers 999 "
        "--split-mode layer",
    ),
    (
        'engine = "llamacpp"\ngpus = ["amd"]\nmodel = { repo = "org/name:Q4_K_M" }\ntask = "embedding"\n',
        "ghcr.io/ggml-org/llama.cpp:server-rocm-b11382",
        "/app/llama-server --hf-repo org/name:Q4_K_M --alias tier --port 8080 --host 0.0.0.0 --jinja --no-webui "
        "--embeddings --n-gpu-layers 999",
    ),
    (
        'engine = "llamacpp"\nmodel = { file = "a.gguf" }\nmax_sequences = 4\nflags.no-webui = false\n',
        "ghcr.io/ggml-org/llama.cpp:server-b11382",
        "/app/llama-server --model /models/a.gguf --alias tier --parallel 4 --port 8080 --host 0.0.0.0 --jinja",
    ),
    (
        'engine = "tei"\ngpus = ["n"]\ntask = "embedding"\nmodel = { repo = "BAAI/bge-m3", revision = "main" }\n',
        "ghcr.io/huggingface/text-embeddings-inference:89-1.9.3",
        "--model-id=BAAI/bge-m3 --revision=main --served-model-name=tier --port=8080 --hostname=0.0.0.0",
    ),
    (
        'engine = "vllm"\ngpus = ["n", "m"]\ntask = "rerank"\nmodel = { path = "r" }\nlora = { a = "la", b = "lb" }\n',
        "vllm/vllm-openai:v0.33.0",
        "vllm serve /models/r --served-model-name=tier --tensor-parallel-size=2 --lora-modules a=/models/la "
        "b=/models/lb --enable-lora --port=8001 --host=0.0.0.0 --shutdown-timeout=50 --runner=pooling",
    ),
    (
        'engine = "tgi"\ngpus = ["n", "m"]\n'
        'model = { repo = "Qwen/Qwen3-8B", revision = "main" }\ncontext_length = 8192\n',
        "ghcr.io/huggingface/text-generation-inference:3.3.6",
        "--model-id=Qwen/Qwen3-8B --revision=main --num-shard=2 --max-total-tokens=8192 --port=8080 --hostname=0.0.0.0",
    ),
    (
        'engine = "infinity"\ngpus = ["n"]\ntask = "rerank"\nmodel = { repo = "BAAI/bge-reranker-v2-m3" }\n',
        "michaelf34/infinity:0.0.77",
        "v2 --model-id=BAAI/bge-reranker-v2-m3 --served-model-name=tier --port=7997 --host=0.0.0.0 --url-prefix=/v1",
    ),
    (
        'engine = "lmdeploy"\ngpus = ["n", "m"]\nmodel = { path = "q" }\n'
        'context_length = 8192\nlora = { a = "la", b = "lb" }\n',
        "openmmlab/lmdeploy:v0.16.0-cu12.8",
        "lmdeploy serve api_server /models/q --model-name=tier --tp=2 --session-len=8192 --adapters a=/models/la "
        "b=/models/lb --server-port=23333 --server-name=0.0.0.0",
    ),
    (
        'engine = "aphrodite"\nimage = "alpindale/aphrodite-openai:latest"\ngpus = ["n", "m"]\n'
        'model = { repo = "o/m", revision = "main" }\ncontext_length = 8192\nlora = { a = "la" }\n',
        "alpindale/aphrodite-openai:latest",
        "python3 -m aphrodite.endpoints.openai.api_server --model=o/m --served-model-name=tier --revision=main "
        "--tensor-parallel-size=2 --max-model-len=8192 --lora-modules a=/models/la --enable-lora --port=2242 "
        "--host=0.0.0.0",
    ),
    (
        'engine = "ktransformers"\nimage = "approachingai/ktransformers:v0.5.3"\ngpus = ["n"]\nmodel = { path = "k" }\n'
        'flags.kt-weight-path = "/models/k"\nflags.kt-method = "AMXINT4"\n',
        "approachingai/ktransformers:v0.5.3",
        "python -m sglang.launch_server --model=/models/k --served-model-name=tier --port=30000 --host=0.0.0.0 "
        "--kt-method=AMXINT4 --kt-weight-path=/models/k",
    ),
    (
        'engine = "mistralrs"\nimage = "ghcr.io/ericlbuehler/mistral.rs:cuda-89-latest"\ngpus = ["n"]\n'
        'served_name = "o/m"\nmodel = { repo = "o/m" }\nmax_sequences = 8\nflags.isq = "q4k"\n',
        "ghcr.io/ericlbuehler/mistral.rs:cuda-89-latest",
        "serve --model-id=o/m --max-seqs=8 --port=1234 --host=0.0.0.0 --isq=q4k",
    ),
    (
        'engine = "tabbyapi"\nimage = "ghcr.io/theroyallab/tabbyapi:latest"\ngpus = ["n"]\nmodel = { path = "x" }\n'
        'context_length = 8192\nkv_cache_dtype = "Q8"\n',
        "ghcr.io/theroyallab/tabbyapi:latest",
        "main.py --model-name=/models/x --max-seq-len=8192 --cache-mode=Q8 --port=5000 --host=0.0.0.0 "
        "--disable-auth=true",
    ),
    (
        'engine = "localai"\nimage = "localai/localai:v4.8.2"\nmodel = { repo = "qwen3-1.7b" }\n'
        'served_name = "qwen3-1.7b"\ncontext_length = 8192\n',
        "localai/localai:v4.8.2",
        "qwen3-1.7b",
    ),
    (
        'engine = "custom"\nimage = "my/server:1"\nport = 9000\nentrypoint = ["serve"]\ncommand = ["--a b", "$X"]\n'
        'model = { path = "m" }\n',
        "my/server:1",
        "serve|--a b|$X",
    ),
]


@pytest.mark.parametrize(("tier", "image", "command"), COMMANDS)
def test_engine_is_told_what_the_tier_says(tier: str, image: str, command: str, tmp_path: Path) -> None:
    service = services(tmp_path, tier)["tier"]
    words = [word.replace("$$", "$") for word in [*(service.get("entrypoint") or ()), *service["command"]]]

    assert service["image"] == image
    assert words == command.split("|" if "|" in command else " ")


def test_nim_is_told_by_its_environment(tmp_path: Path) -> None:
    tier = (
        'engine = "nim"\nimage = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8"\ngpus = ["n"]\nserved_name = "llama"\n'
        "context_length = 8192\n"
    )
    read = services(tmp_path, tier)["tier"]

    assert (read.get("entrypoint"), read.get("command")) == (None, None)
    assert read["environment"]["NIM_SERVER_PORT"] == "8000"
    assert read["environment"]["NIM_SERVED_MODEL_NAME"] == "llama"
    assert read["environment"]["NIM_MAX_MODEL_LEN"] == "8192"
    assert read["healthcheck"]["test"][-1].count("http://127.0.0.1:8000/v1/health/ready") == 1
    assert [mount["target"] for mount in read["volumes"]] == ["/opt/nim/.cache"]


def test_speaches_is_told_by_its_environment(tmp_path: Path) -> None:
    tier = 'engine = "speaches"\nimage = "ghcr.io/speaches-ai/speaches:0.8.3-cpu"\ntask = "speech"\n'
    read = services(tmp_path, tier)["tier"]

    assert (read.get("command"), read["environment"]["UVICORN_PORT"]) == (None, "8000")
    assert [mount["target"] for mount in read["volumes"]] == ["/home/ubuntu/.cache/huggingface"]


def test_localai_is_told_by_its_environment(tmp_path: Path) -> None:
    tier = 'engine = "localai"\nimage = "localai/localai:v4.8.2"\ncontext_length = 8192\nport = 9000\n'
    read = services(tmp_path, tier)["tier"]

    assert (read.get("command"), read["environment"]["LOCALAI_ADDRESS"]) == (None, ":9000")
    assert read["environment"]["LOCALAI_CONTEXT_SIZE"] == "8192"
    assert [mount["target"] for mount in read["volumes"]] == ["/models", "/backends"]


def test_ollama_pulls_before_it_serves(tmp_path: Path) -> None:
    tier = (
        'engine = "ollama"\ngpus = ["n"]\nmodel = { repo = "qwen3:8b" }\nserved_name = "qwen"\ncontext_length = 8192\n'
    )
    read = services(tmp_path, tier)

    assert read["tier"]["environment"]["OLLAMA_HOST"] == "0.0.0.0:11434"
    assert read["tier"]["environment"]["OLLAMA_CONTEXT_LENGTH"] == "8192"
    assert read["tier"]["depends_on"]["tier-pull"]["condition"] == "service_completed_successfully"
    assert read["tier-pull"]["command"][-2:] == ["qwen3:8b", "qwen"]
    assert read["tier-pull"]["restart"] == "no"
    for service in read.values():
        assert [(m["source"], m["target"]) for m in service["volumes"]] == [("hfcache", "/hub")]


RESERVATIONS = [
    ("n", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, None),
    ("amd", {"ROCR_VISIBLE_DEVICES": "GPU-1a2b3c4d5e6f7a8b"}, ["/dev/kfd", "/dev/dri"]),
    ("intel", {"ZE_AFFINITY_MASK": "1"}, ["/dev/dri"]),
]


@pytest.mark.parametrize(("card", "environment", "devices"), RESERVATIONS)
def test_card_is_reserved_by_its_vendors_means(
    card: str, environment: dict[str, str], devices: list[str] | None, tmp_path: Path
) -> None:
    tier = f'engine = "llamacpp"\ngpus = ["{card}"]\nmodel = {{ file = "a.gguf" }}\n'
    service = services(tmp_path, tier)["tier"]

    assert environment.items() <= service["environment"].items()
    # A group by its name, which an image may lack, would keep a container from starting.
    assert not service.keys() & {"group_add", "privileged"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    if devices is None:
        reserved = service["deploy"]["resources"]["reservations"]["devices"]
        assert reserved[0]["device_ids"] == ["GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01"]
    else:
        assert [device if isinstance(device, str) else device["source"] for device in service["devices"]] in (
            devices,
            [f"{device}:{device}" for device in devices],
        )


@pytest.mark.parametrize("name", Catalog().names("engines"))
def test_every_service_has_good_manners(name: str, tmp_path: Path) -> None:
    engine = Catalog().engine(name)
    assert engine is not None
    kinds = {"path": 'path = "m"', "file": 'file = "m.gguf"', "repo": 'repo = "org/m"'}
    model = f"model = {{ {kinds[engine.models[0]]} }}\n" if engine.models else ""
    task = next(iter(engine.tasks))
    own = "" if engine.image else 'image = "x:1"\nport = 9000\n'
    service = services(tmp_path, f'engine = "{name}"\ntask = "{task}"\n{model}{own}')["tier"]

    assert service["init"] is True
    assert service["stop_grace_period"] == "1m0s"
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-file": "3", "max-size": "50m"}
    assert engine.own_command or service["healthcheck"]["start_period"]
