"""The import of compose files: what people write becomes an inventory, and real Compose proves that nothing changed."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_cli import LOCAL_BINARY
from importing import Importing, read_forms
from inventories import UUID_A, UUID_B

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.importing.rendered_config import write_rendered

TEI = "ghcr.io/huggingface/text-embeddings-inference"
LARGE = """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m
    ports: ["9000:8000"]
    volumes: ["./hub:/root/.cache/huggingface", "models:/models:ro"]
    networks: [inner]
  other:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/n
    ports: ["9000:8000"]
  search:
    image: redis:8
    env_file: [n.env]
    profiles: [search]
  ui:
    build: ./ui
    environment: {PRICE: "$$5", NAME: "${NAME:-x}"}
    volumes: [{type: bind, source: ../shared, target: /shared}, "~/x:/x"]
    depends_on: [search]
volumes: {models: {driver: local, driver_opts: {type: none, o: bind, device: ./models}}}
networks: {inner: {internal: true}}
"""


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importing:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")
    return Importing(tmp_path)


def tiers_of(importing: Importing, text: str) -> dict[str, Any]:
    data = tomllib.loads(importing.proved(text))
    defaults = data.get("defaults", {})
    return {
        name: {**defaults, **table, "flags": {**defaults.get("flags", {}), **table.get("flags", {})}}
        for name, table in data["tiers"].items()
    }


def test_a_folder_above_the_fleet_is_written_from_the_root_on(importing: Importing) -> None:
    data = tomllib.loads(
        importing.proved("services: {ui: {image: redis:8, volumes: ['..:/above', '.:/own', './a:/a']}}")
    )

    assert data["services"]["ui"]["volumes"] == [f"{importing.folder.parent}:/above", "..:/own", "../a:/a"]


def test_all_of_the_host_is_residue_however_it_is_written(importing: Importing) -> None:
    climbing = "/".join([".."] * len(importing.folder.parts))
    imported = importing.run(f"services: {{ui: {{image: redis:8, volumes: ['{climbing}:/x']}}}}").imported

    assert [one.service for one in imported.choices if one.form == "left out"] == ["ui"]
    assert ("services", "ui") in [one.path for one in imported.residue or ()]


def test_flags_become_fields_and_flags(importing: Importing) -> None:
    tier = tiers_of(
        importing,
        """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m --max_model_len 4096 -tp 2 --gpu-memory-utilization=0.70 --enable-prefix-caching --seed 7
    ports: ["9000:8000"]
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]}}}
""",
    )["chat"]

    assert (tier["context_length"], tier["tensor_parallel"], tier["gpu_memory_utilization"]) == (4096, 2, 0.70)
    assert (tier["port"], tier["container_port"], tier["bind"], tier["gpus"]) == (9000, 8000, "all", 2)
    assert tier["flags"] == {
        "host": False,
        "port": False,
        "served-model-name": False,
        "enable-prefix-caching": True,
        "seed": 7,
    }


def test_a_secret_becomes_a_variable(importing: Importing) -> None:
    result = importing.run("""
services:
  db:
    image: postgres:17
    environment:
      POSTGRES_PASSWORD: correct-horse-battery
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m --api-key sk-abcdefghijklmnop1234
""")

    assert "correct-horse" not in result.imported.text
    assert "abcdefghijklmnop" not in result.imported.text
    assert tomllib.loads(result.imported.text)["services"]["db"]["environment"] == {
        "POSTGRES_PASSWORD": {"env": "POSTGRES_PASSWORD"}
    }
    assert {one.path[1] for one in result.imported.residue or ()} == {"db", "chat"}


def test_a_literal_dollar_stays_one(importing: Importing) -> None:
    text = importing.proved("""
services:
  ui:
    image: ui:1
    command: ["sh", "-c", "echo $$HOME $${NAME:-x} ${REAL:-y}"]
    environment: {PRICE: "$$5", BARE: "$$HOME"}
""")

    service = tomllib.loads(text)["services"]["ui"]
    assert service["environment"] == {"PRICE": "$5", "BARE": {"interpolate": "$$HOME"}}


def test_what_a_variable_may_let_vanish_is_kept(importing: Importing) -> None:
    tier = tiers_of(
        importing,
        """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m ${KV:+--kv-cache-dtype ${KV}} --revision ${REVISION} --max-model-len ${CTX:-4096} ${EXTRA:-}
""",
    )["chat"]

    assert tier["context_length"] == {"env": "CTX", "default": 4096}
    assert tier["extra_arguments"] == {"interpolate": "${KV:+--kv-cache-dtype ${KV}} --revision ${REVISION} ${EXTRA:-}"}


def test_services_that_exclude_each_other_stay_in_their_profiles(importing: Importing) -> None:
    data = tomllib.loads(importing.proved(read_forms("20")))

    assert {name: tier["profiles"] for name, tier in data["tiers"].items()} == {
        "mallard-gpu": ["gpu"],
        "mallard-cpu": ["cpu"],
    }
    assert "modes" not in data


def test_files_are_merged_as_compose_merges_them(importing: Importing) -> None:
    importing.write("base.yml", "services: {a: {image: busybox, environment: [A=1], volumes: ['./x:/x']}}\n")
    importing.write("over.yml", "services: {a: {environment: {B: 2}, volumes: !override ['./y:/y'], hostname: h}}\n")

    result = importing.files("base.yml", "over.yml")

    assert result.imported.residue == ()
    assert tomllib.loads(result.imported.text)["services"]["a"]["environment"] == {"A": "1", "B": 2}


def test_included_and_extended_files_are_part_of_it(importing: Importing) -> None:
    importing.write("sub/more.yml", "services: {b: {image: busybox, volumes: ['./data:/data'], env_file: b.env}}\n")
    importing.write("sub/b.env", "X=1\n")
    importing.write("lib/base.yml", "services: {base: {image: busybox, volumes: ['./w:/w'], environment: {A: 1}}}\n")
    importing.write(
        "compose.yml",
        "include: [sub/more.yml]\nservices: {a: {extends: {file: lib/base.yml, service: base}, hostname: h}}\n",
    )

    result = importing.files("compose.yml")

    assert result.imported.residue == ()
    assert tomllib.loads(result.imported.text)["services"].keys() == {"a", "b"}


def test_run_lines_become_tiers(importing: Importing) -> None:
    importing.write(
        "run.sh",
        """
docker run -d --name chat --gpus '"device=1"' --ipc host -p 127.0.0.1:8001:8000 -v ~/.cache:/root/.cache \\
    vllm/vllm-openai:v0.11.2 --model org/m --max-model-len 4096
docker run -d --net=host -e LLAMA_ARG_MODEL=/m/x.gguf -v ./m:/m ghcr.io/ggml-org/llama.cpp:server-cuda --port 9000
""",
    )

    result = importing.files("run.sh")

    data = tomllib.loads(result.imported.text)
    assert result.imported.residue == ()
    assert data["gpus"] == {"second": {"index": 1}}
    assert data["tiers"]["chat"]["context_length"] == 4096
    assert (data["tiers"]["llama.cpp"]["engine"], data["tiers"]["llama.cpp"]["port"]) == ("llamacpp", 9000)


def test_an_inspected_container_becomes_a_tier(importing: Importing) -> None:
    config = {"Image": "ollama/ollama:0.12.6", "Env": ["OLLAMA_NUM_PARALLEL=2"], "Cmd": ["serve"], "Labels": {}}
    host = {"Binds": ["ollama:/root/.ollama"], "PortBindings": {"11434/tcp": [{"HostIp": "", "HostPort": "11434"}]}}
    importing.write("box.json", json.dumps([{"Name": "/ollama", "Config": config, "HostConfig": host}]))

    result = importing.files("box.json")

    tier = tomllib.loads(result.imported.text)["tiers"]["ollama"]
    assert result.imported.residue == ()
    assert (tier["engine"], tier["max_sequences"], tier["port"]) == ("ollama", 2, 11434)


def test_numbers_become_the_uuids_of_the_same_gpus(importing: Importing) -> None:
    device = "{{driver: nvidia, device_ids: ['{}'], capabilities: [gpu]}}"
    gpu = f"deploy: {{{{resources: {{{{reservations: {{{{devices: [{device}]}}}}}}}}}}}}"
    vllm = "image: vllm/vllm-openai:v0.11.2\n    command: --model org/name --gpu-memory-utilization 0.4"
    services = {
        "one": f"{vllm}\n    {gpu.format(0)}",
        "two": f"{vllm}\n    {gpu.format(UUID_A)}",
        "embed": f"image: {TEI}:86-1.8\n    command: --model-id BAAI/bge-m3\n    {gpu.format(1)}",
    }
    text = "services:\n" + "".join(f"  {name}:\n    {keys}\n" for name, keys in services.items())
    imported = importing.run(text, {0: UUID_A, 1: UUID_B}).imported
    data = tomllib.loads(imported.text)
    uuids = {name: data["gpus"][tier["gpus"][0]]["uuid"] for name, tier in data["tiers"].items()}

    assert imported.residue == ()
    assert uuids == {"one": UUID_A, "two": UUID_A, "embed": UUID_B}
    assert len(data["gpus"]) == 2


def test_what_shares_a_gpu_without_a_word_about_it_is_still_a_tier(importing: Importing) -> None:
    gpu = "deploy: {resources: {reservations: {devices: [{driver: nvidia, device_ids: ['1'], capabilities: [gpu]}]}}}"
    text = f"""\
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/name --gpu-memory-utilization 0.9
    {gpu}
  embed:
    image: {TEI}:86-1.8
    command: --model-id BAAI/bge-m3
    {gpu}
"""
    result = importing.run(text)
    tiers = tomllib.loads(result.imported.text)["tiers"]

    assert result.imported.residue == ()
    assert tiers["embed"]["model"]["repo"] == "BAAI/bge-m3"
    assert tiers["embed"]["gpus"] == tiers["chat"]["gpus"]
    assert [note for note in result.notes if "is assumed" in note] == [
        "embed shares a GPU, and nothing says how much of it it takes: gpu_memory_utilization = 0.05 is assumed"
    ]


def test_comments_stand_at_the_keys_that_they_are_about(importing: Importing) -> None:
    text = importing.proved("""# The box in the cellar.
services:
  # Talks to the house.
  chat:
    image: vllm/vllm-openai:v0.11.2  # pinned
    environment:
      # No phone calls.
      - VLLM_NO_USAGE_STATS=1
    # Long prompts.
    command: --model org/m --max-model-len 65536
    volumes:
      - ./hub:/root/.cache/huggingface  # 800 GB
  ui:
    image: ui:1
    # From the LAN only.
    ports: ["192.168.1.2:80:80"]
""")

    lines = text.splitlines()
    assert lines[0] == "# The box in the cellar."
    for comment, following in (
        ("# Talks to the house.", "[tiers.chat]"),
        ("# pinned", 'image = "vllm/vllm-openai:v0.11.2"'),
        ("# No phone calls.", 'environment.VLLM_NO_USAGE_STATS = "1"'),
        ("# Long prompts.", 'model = { repo = "org/m", cache = false }'),
        ("# 800 GB", 'mounts."/root/.cache/huggingface" = { source = "../hub", read_only = false, create = true }'),
        ("# From the LAN only.", 'ports = ["192.168.1.2:80:80"]'),
    ):
        assert lines[lines.index(comment) + 1] == following


@pytest.mark.parametrize(
    "values",
    [{}, {"NAME": "y", "B": "z"}, {"HOME": "/elsewhere", "NAME": "y"}, {"COMPOSE_PROJECT_NAME": "other"}],
)
@pytest.mark.parametrize("named", ["models: {driver: local", 'models: {name: "${NAME:-m}", driver: local'])
def test_a_large_tree_is_read_in_parts_that_say_the_same(
    importing: Importing, tmp_path: Path, values: dict[str, str], named: str
) -> None:
    """Parts without a variable are read once: whatever a variable changes is in another one."""
    for folder in {importing.folder, tmp_path}:
        (folder / "n.env").write_text("A=${B:-1}\n", "utf-8")
    inventory = importing.write("hosts/box.toml", importing.proved(LARGE.replace("models: {driver: local", named)))
    rendered = Generator().render(inventory, output=importing.folder / "out" / "tree").tree

    included = write_rendered(rendered, tmp_path / "out" / "a")
    parts = write_rendered(rendered, tmp_path / "out" / "a", many=2)

    assert [part.varies for part in parts.parts] == ([True] if "NAME" in named else [False, False, True])
    assignments = {"defaults": {}, "markers": values}
    assert parts.read(assignments) == included.read(assignments)


def test_gpus_are_a_field_in_every_form_that_means_the_same(importing: Importing) -> None:
    tiers = tiers_of(
        importing,
        """
x-server: &server
  image: vllm/vllm-openai:v0.11.2
  command: --model org/m
services:
  all: {<<: *server, ports: ["9000:8000"], gpus: all}
  two: {<<: *server, ports: ["9001:8000"], gpus: [{count: 2}]}
  first: {<<: *server, ports: ["9002:8000"], gpus: [{driver: nvidia, device_ids: ["0"]}]}
  any: {<<: *server, ports: ["9003:8000"], deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}}
""",
    )

    assert {name: tier["gpus"] for name, tier in tiers.items()} == {
        "all": "all",
        "two": 2,
        "first": ["first"],
        "any": "all",
    }
    assert not any("override" in tier for tier in tiers.values())


def test_options_of_mounts_are_fields(importing: Importing) -> None:
    tier = tiers_of(
        importing,
        """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m
    ports: ["9000:8000"]
    volumes:
      - hub:/root/.cache/huggingface:nocopy
      - ./a:/a:ro,rslave,z
      - {type: volume, source: hub, target: /b, read_only: true, volume: {subpath: models/small}}
      - {type: bind, source: ./c, target: /c, bind: {propagation: rshared, create_host_path: true}}
volumes: {hub: }
""",
    )["chat"]

    assert "override" not in tier
    assert tier["mounts"] == {
        "/root/.cache/huggingface": {"volume": "hub", "read_only": False, "nocopy": True},
        "/a": {"source": "../a", "create": True, "propagation": "rslave", "selinux": "z"},
        "/b": {"volume": "hub", "subpath": "models/small"},
        "/c": {"source": "../c", "read_only": False, "create": True, "propagation": "rshared"},
    }


def test_an_environment_that_compose_refuses_is_an_error(importing: Importing) -> None:
    text = "services:\n  chat:\n    image: vllm/vllm-openai\n    environment:\n      - null\n      - A=1\n"

    with pytest.raises(DiagnosticError) as caught:
        importing.run(text)

    assert [one.detail for one in caught.value.diagnostics] == [
        "Compose says: services.chat.environment.[0]: unexpected type <nil>"
    ]
