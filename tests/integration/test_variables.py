"""Variables in an inventory: every field that may be one is written as one, and real Compose reads what is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_cli import compose_config
from inventories import UUID_A
from strange_values import toml

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.inventory.json_schema import inventory_schema
from anvil_gen.render.quoting import to_yaml
from anvil_gen.text.interpolation import fill_variables, parse_interpolation
from anvil_gen.values import compose_text

Table = dict[str, Any]
MARK = "MARKED_VARIABLE"


def rendered(folder: Path, text: str) -> dict[str, str]:
    """Render an inventory, write its files to ``tree``, and return them."""
    (folder / "box.toml").write_text(text, "utf-8")
    files = Generator().render(folder / "box.toml").tree.files
    for path, content in files.items():
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(content, "utf-8")
    return dict(files)


def may_be_variable(option: Table) -> bool:
    return option.get("$ref", "").endswith("/EnvTable") or any(map(may_be_variable, option.get("anyOf", ())))


def fields() -> Iterator[tuple[str, str, Any]]:
    """Yield the struct, name and example of every field that may be a variable."""
    for struct, definition in inventory_schema()["$defs"].items():
        for name, option in definition["properties"].items():
            items = option.get("items", {})
            if may_be_variable(option):
                yield struct, name, option["examples"][-1 if name in ("metrics", "gpus") else 0]
            elif may_be_variable(items):
                yield struct, name, [option["examples"][0][0]]


def inventory_with(struct: str, name: str, value: Any) -> Table:
    """Return an inventory in which one field of a struct is ``value``."""
    tier: Table = {"engine": "vllm", "port": 8001, "model": {"path": "m"}, "gpus": ["a"], "bind": "127.0.0.1"}
    tables: Table = {"tiers": {"one": tier}, "paths": {"models": "/srv/m"}, "hfcache": {"path": "/srv/hub"}}
    tables["gpus"] = {"a": {"uuid": UUID_A, "memory_mib": 32768}}
    if struct == "TierTable":
        if name in ("mmproj", "entrypoint", "command"):
            tier |= {"engine": "llamacpp" if name == "mmproj" else "custom", "image": "x", "model": {"file": "m"}}
        tier |= {name: value}
    elif struct in ("HealthCheckTable", "LoggingTable"):
        tier[struct.lower().removesuffix("table")] = (
            {"test": ["CMD", "true"], name: value} if struct[0] == "H" else {name: value}
        )
    elif struct == "MountTable":
        tier["mounts"] = {"/data": {name: value}}
    elif struct == "WeightsTable":
        tier |= {"engine": "llamacpp", "model": {"file": "m"}} if name == "file" else {}
        tier["draft_model"] = {"repo": "a/b", name: value} if name == "revision" else {name: value}
    elif struct == "ModelTable":
        tier["model"] = {"repo": "a/b", name: value} if name == "revision" else {name: value}
        tier |= {"engine": "llamacpp"} if name == "file" else {}
    elif struct == "GpuTable":
        tables["gpus"]["a"] = {"memory_mib": 32768, name: value}
    else:
        table = {
            "RouterTable": "router",
            "ExperimentTable": "experiment",
            "PathsTable": "paths",
            "HfCacheTable": "hfcache",
            "HostTable": "host",
            "MonitoringTable": "monitoring",
        }
        own: Table = {"engine": "vllm", "gpu": "a"} if struct == "ExperimentTable" else {}
        tier |= {"model": {"repo": "a/b"}} if struct == "HostTable" else {}  # of what fetches alone
        tables[table[struct]] = {**own, name: value}
        tier |= {"model": {"repo": "a/b"}} if struct == "HfCacheTable" else {}
    return tables


@pytest.mark.parametrize(("struct", "name", "example"), list(fields()))
def test_a_field_that_may_be_a_variable_is_written_as_one(struct: str, name: str, example: Any, tmp_path: Path) -> None:
    """One that is read, and written as its default, would be lost without a word."""
    several = isinstance(example, list)
    variable = {"env": MARK, "default": example[0] if several else example}
    if name == "extra_arguments":
        variable = {"env": MARK}
    tables = inventory_with(struct, name, [variable] if several else variable)
    files = rendered(tmp_path, "\n".join(["schema = 1", *(f"{key} = {toml(table)}" for key, table in tables.items())]))

    assert any(
        re.search(rf"\$\{{(?:\w+:-\$\{{)?{MARK}:-", text) for path, text in files.items() if path.endswith(".yml")
    )
    assert f"#{MARK}=" in files[".env.example"].splitlines()


TEAL = """
schema = 1
[gpus.one]
uuid = { interpolate = "${TEAL_GPU:-GPU-d0f446cf-1771-414c-e116-a39138798a8c}" }
[hfcache]
path = { interpolate = "${HUB_DIR:-${BASE:-/srv}/hub}" }
[tiers.teal]
engine = "vllm"
image = { interpolate = "vllm/vllm-openai:${VLLM_TAG:-v0.11.2}" }
gpus = ["one"]
container_name = { interpolate = "${STACK:-lab}-teal" }
restart = { env = "TEAL_RESTART", default = "unless-stopped" }
model = { repo = { interpolate = "${TEAL_MODEL:?set TEAL_MODEL to a hub id}" }, revision = { env = "TEAL_REVISION" } }
served_name = { interpolate = "${TEAL_NAME:-teal}" }
context_length = { env = "TEAL_CTX", default = 24576 }
gpu_memory_utilization = { interpolate = "${TEAL_SHARE-0.8}" }
bind = { env = "BIND", default = "0.0.0.0" }
port = { env = "TEAL_PORT", default = 8020 }
container_port = 8000
start_period = { env = "TEAL_START", default = "8m" }
shm_size = { env = "SHM" }
flags.seed = { env = "SEED", default = "7" }
environment.HF_TOKEN = { interpolate = "${HF_TOKEN:-${HUGGING_FACE_HUB_TOKEN:-}}" }
environment.PLAIN = "pa$word"
environment.LITERAL = { interpolate = "$${X}" }
extra_arguments = { interpolate = "${KV:+--kv-cache-dtype ${KV}} ${EAGER:+--enforce-eager} ${EXTRA_ARGS:-}" }
override.hostname = { interpolate = "${STACK:-lab}-host" }
[services.ui]
image = { env = "UI", default = "ui:1" }
user = { interpolate = "${NIM_UID:-1000}" }
volumes = [{ interpolate = "${UI_DIR:-/srv/ui}:/data" }]
"""
NEEDED = {"TEAL_MODEL": "org/one", "SHM": "1g"}
SET = {
    "TEAL_GPU": "GPU-2",
    "BASE": "/mnt",
    "VLLM_TAG": "v9",
    "STACK": "s",
    "TEAL_RESTART": "no",
    "TEAL_MODEL": "org/two",
    "TEAL_REVISION": "r1",
    "TEAL_NAME": "n",
    "TEAL_CTX": "99",
    "TEAL_SHARE": "0.5",
    "BIND": "127.0.0.1",
    "TEAL_PORT": "9020",
    "TEAL_START": "1m",
    "SHM": "2g",
    "SEED": "8",
    "HUGGING_FACE_HUB_TOKEN": "t",
    "KV": "fp8",
    "EXTRA_ARGS": "--max-num-seqs 4 --x 'two words'",
    "UI": "ui:2",
    "NIM_UID": "7",
    "UI_DIR": "/mnt/ui",
}
BY_DEFAULT: Table = {
    "image": "vllm/vllm-openai:v0.11.2",
    "container_name": "lab-teal",
    "hostname": "lab-host",
    "restart": "unless-stopped",
    "port": ("0.0.0.0", "8020", 8000),
    "start_period": "8m0s",
    "shm_size": str(1 << 30),
    "hub": "/srv/hub",
    "gpus": [UUID_A],
    "token": "",
    "flags": ["--revision=", "--seed=7", "--served-model-name=teal", "--max-model-len=24576"],
    "share": "--gpu-memory-utilization=0.8",
    "tail": ["--seed=7"],
    "ui": ("ui:1", "1000", "/srv/ui"),
}
AS_SET: Table = {
    "image": "vllm/vllm-openai:v9",
    "container_name": "s-teal",
    "hostname": "s-host",
    "restart": "no",
    "port": ("127.0.0.1", "9020", 8000),
    "start_period": "1m0s",
    "shm_size": str(2 << 30),
    "hub": "/mnt/hub",
    "gpus": ["GPU-2"],
    "token": "t",
    "flags": ["--revision=r1", "--seed=8", "--served-model-name=n", "--max-model-len=99"],
    "share": "--gpu-memory-utilization=0.5",
    "tail": ["--seed=8", "--kv-cache-dtype", "fp8", "--max-num-seqs", "4", "--x", "two words"],
    "ui": ("ui:2", "7", "/mnt/ui"),
}


def read_by_compose(folder: Path, values: dict[str, str]) -> Table:
    """Return what Compose reads of the services, by what a test asks for."""
    services = compose_config(folder, "docker-compose.yml", env=values)["services"]
    teal, ui = services["teal"], services["ui"]
    [port], [device] = teal["ports"], teal["deploy"]["resources"]["reservations"]["devices"]
    command = teal["command"]
    assert teal["environment"]["PLAIN"] == "pa$$word"
    assert teal["environment"]["LITERAL"] == "$${X}"
    assert "--port=8000" in command
    return {
        **{key: teal[key] for key in ("image", "container_name", "hostname", "restart", "shm_size")},
        "port": (port["host_ip"], port["published"], port["target"]),
        "start_period": teal["healthcheck"]["start_period"],
        "hub": next(mount["source"] for mount in teal["volumes"] if mount["target"].endswith("/huggingface")),
        "gpus": device["device_ids"],
        "token": teal["environment"]["HF_TOKEN"],
        "flags": [flag for flag in AS_SET["flags"] + BY_DEFAULT["flags"] if flag in command],
        "share": next(word for word in command if word.startswith("--gpu-memory")),
        "tail": command[next(at for at, word in enumerate(command) if word.startswith("--seed")) :],
        "ui": (ui["image"], ui["user"], ui["volumes"][0]["source"]),
    }


@pytest.mark.parametrize(("values", "expected"), [(NEEDED, BY_DEFAULT), (SET, AS_SET)])
def test_compose_reads_what_the_variables_say(values: dict[str, str], expected: Table, tmp_path: Path) -> None:
    rendered(tmp_path, TEAL)

    assert read_by_compose(tmp_path / "tree", values) == expected


def test_the_example_of_variables_has_each_once_and_says_which_are_needed(tmp_path: Path) -> None:
    example = rendered(tmp_path, TEAL)[".env.example"].splitlines()
    names = [line.removesuffix("=").removeprefix("#") for line in example if line.endswith("=")]
    needed = {line.removesuffix("=") for line in example if line.endswith("=") and not line.startswith("#")}

    assert sorted(names) == sorted({*SET, "EAGER", "HUB_DIR", "HF_TOKEN"})
    assert needed == {"TEAL_MODEL", "TEAL_REVISION", "SHM"}


TEXTS = [
    *(
        "${A:-{B}}",
        "${A:-${B:-c}}d",
        "${A:-$B}",
        "${A:-$$B}",
        "${A:-x$$}y",
        "${A:+--k ${A}}",
        "${B:+--k ${B}}",
        "${A:-a:?b}",
    ),
    *(
        "$1",
        "$ x",
        "a$(b)",
        "$${A}",
        "${A:-}",
        "${a_b-é}",
        "${A:-${B:-${C:-z}}}",
        "${A:- sp }",
        "$A-$B",
        "${B:+${A:-$$x}}",
    ),
    *(
        "${A:+${B}}x",
        "${B+x${B}y}",
        "${B:?no}",
        "${A-${B}}${C:-1}",
        "${A:-$$$B}",
        "${A:-$${B}}",
        "$$$B",
        "${E-x}${E:-y}",
    ),
    *("${E+x}${E:+y}", "${E?no}", "a{b}${B}{c}"),
]


def test_variables_are_filled_in_as_compose_fills_them_in(tmp_path: Path) -> None:
    values = {"B": "bee", "E": ""}
    file = {"name": "x", "services": {"s": {"image": "i", "labels": {f"v{at}": text for at, text in enumerate(TEXTS)}}}}
    (tmp_path / "compose.yml").write_text(yaml.safe_dump(file), "utf-8")
    read = compose_config(tmp_path, "compose.yml", env=values)["services"]["s"]["labels"]

    found = [read[f"v{at}"].replace("$$", "$") for at in range(len(TEXTS))]
    assert found == [fill_variables(text, values) for text in TEXTS]


def test_a_parsed_text_is_written_as_it_was_read(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if "{B}}" not in text and "a{b}" not in text]
    written = [compose_text(parse_interpolation(text)) for text in texts]
    values = {"B": "bee", "E": ""}
    lines = [f"      v{at}: {to_yaml(parse_interpolation(text))}" for at, text in enumerate(texts)]
    file = "\n".join(["name: x", "services:", "  s:", "    image: i", "    labels:", *lines, ""])
    (tmp_path / "compose.yml").write_text(file, "utf-8")
    read = compose_config(tmp_path, "compose.yml", env=values)["services"]["s"]["labels"]

    assert [fill_variables(text, values) for text in written] == [fill_variables(text, values) for text in texts]
    assert [read[f"v{at}"].replace("$$", "$") for at in range(len(texts))] == [
        fill_variables(text, values) for text in texts
    ]
