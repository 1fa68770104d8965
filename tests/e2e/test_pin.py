"""`pin` and `outdated` against a real registry on loopback and a stub of the Hugging Face Hub."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pin_servers import DOCKER_LIST, DOCKER_MANIFEST, Front, HubModel, HubStub, Refusal, Registry, real_registry

from anvil_gen.fit.facts_source import locked_facts
from anvil_gen.fit.model_facts import Attention

COMMIT_A, COMMIT_B = "a" * 40, "b" * 40
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "model_type": "llama",
    "max_position_embeddings": 131072,
    "vocab_size": 128256,
    "torch_dtype": "bfloat16",
}
MODELS = {
    "org/chat": HubModel({"main": COMMIT_A}, CONFIG, {"model.safetensors": {"model.layers.0.mlp.up_proj.weight": 64}}),
    "org/own": HubModel({"main": COMMIT_A, "v1": COMMIT_B}, {"auto_map": {"AutoModel": "x.py"}}, gated="manual"),
}
# The password is "pass".
HTPASSWD = "me:$2y$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K\n"
INVENTORY = """\
schema = 1
[hfcache]
volume = "hfcache"
token_env = "BOX_TOKEN"
[tiers.chat]
engine = "vllm"
image = "{registry}/vllm:v0.9.1"
port = 30000
model = {{ repo = "org/chat" }}
[tiers.own]
engine = "vllm"
image = "{registry}/vllm:v0.9.1"
port = 30001
model = {{ repo = "org/own", revision = "v1" }}
[services.ui]
image = {{ env = "UI_IMAGE" }}
[services.cache]
image = "{registry}/redis:latest"
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with real_registry(tmp_path_factory.mktemp("pins") / "registry") as address:
        yield Registry(address)


@pytest.fixture
def images(registry: Registry, tmp_path: Path) -> str:
    """Put the images of the inventory under names of the test's own, and return how they begin."""
    name = f"t{abs(hash(tmp_path))}"
    registry.push_list(f"{name}/vllm", "v0.9.1", "amd64", "arm64")
    registry.push(f"{name}/redis", "latest")
    return name


@pytest.fixture
def front(registry: Registry) -> Iterator[Front]:
    with Front(registry.address).running() as running:
        yield running


@pytest.fixture
def hub() -> Iterator[HubStub]:
    with HubStub(MODELS).running() as running:
        assert isinstance(running, HubStub)
        yield running


class Fleet:
    """A fleet in a folder of its own, and the command line in it."""

    def __init__(self, folder: Path, hub: Front, registry: str) -> None:
        self.folder, self.hub, self.registry = folder, hub, registry
        (folder / "hosts").mkdir()
        self.variables: dict[str, str] = {"DOCKER_CONFIG": str(folder / "docker"), "HF_HOME": str(folder / "hf")}

    def add(self, name: str, text: str = INVENTORY) -> None:
        """Write an inventory."""
        (self.folder / "hosts" / f"{name}.toml").write_text(text.format(registry=self.registry), "utf-8")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the program to an exit code, and return what it printed."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": f"http://{self.hub.address}",
            **self.variables,
        }
        done = subprocess.run(
            [sys.executable, "-m", "anvil_gen", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def codes(self, *arguments: str) -> list[tuple[str, str]]:
        """Run the program, which fails, and return the code and the address of each error."""
        answer = json.loads(self.run(*arguments, "--json", code=1))
        return [(one["code"], one["address"]) for one in answer["diagnostics"]]

    def lock(self, name: str = "box") -> dict[str, Any]:
        """Return a lock as data."""
        return tomllib.loads(self.text(name))

    def text(self, name: str = "box") -> str:
        """Return a lock as text; empty where there is none."""
        path = self.folder / "locks" / f"{name}.toml"
        return path.read_text("utf-8") if path.exists() else ""


@pytest.fixture
def fleet(tmp_path: Path, hub: HubStub, front: Front, images: str) -> Fleet:
    made = Fleet(tmp_path, hub, f"{front.address}/{images}")
    made.add("box")
    return made


def basic(user: str, password: str) -> dict[str, str]:
    """Return a login as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def docker_config(fleet: Fleet, data: Mapping[str, Any]) -> None:
    """Write Docker's configuration."""
    (fleet.folder / "docker").mkdir(exist_ok=True)
    (fleet.folder / "docker" / "config.json").write_text(json.dumps(data), "utf-8")


def test_a_host_is_pinned_and_rendered_by_its_lock(fleet: Fleet, registry: Registry, images: str) -> None:
    digest = registry.push_list(f"{images}/vllm", "v0.9.1", "amd64", "arm64")
    printed = fleet.run("pin", "box")
    lock, text = fleet.lock(), fleet.text()
    fleet.run("render", "box")
    tier = (fleet.folder / "deploy" / "box" / "tiers" / "own.yml").read_text("utf-8")

    assert lock["images"][f"{fleet.registry}/vllm:v0.9.1"] == {
        "digest": digest,
        "platforms": ["linux/amd64", "linux/arm64"],
    }
    assert lock["models"]["org/own@v1"] == {"commit": COMMIT_B, "gated": "manual"}
    facts = locked_facts(fleet.folder / "hosts" / "box.toml")["org/chat"]
    assert (facts.commit, facts.architecture, facts.layers) == (COMMIT_A, "LlamaForCausalLM", "F*32")
    assert (facts.attention, facts.bytes.language) == (Attention(kv_heads=8, head_dim=128), 64)
    assert "\nfacts.max_context = 131072\n" in text
    assert "# Not held: services.ui.image: the image is in a variable: UI_IMAGE\n" in text
    assert f'moves with each one.\n[images."{fleet.registry}/redis:latest"]' in text
    assert 'account with access.\n[models."org/own@v1"]' in text
    assert f"image: {fleet.registry}/vllm:v0.9.1@{digest}" in tier.replace('"', "")
    assert f"--revision={COMMIT_B}" in tier
    assert "not held: services.ui.image" in printed


def test_a_model_that_is_open_says_that_it_brings_code(fleet: Fleet, hub: HubStub) -> None:
    hub.access = fleet.variables["BOX_TOKEN"] = "secret-of-the-box"
    fleet.run("pin", "box")

    assert fleet.lock()["models"]["org/own@v1"] == {"commit": COMMIT_B, "code": True, "gated": "manual"}
    assert "It brings code of its own" in fleet.text()
    assert "secret-of-the-box" not in fleet.text()


def test_what_is_pinned_stays_until_it_is_updated(fleet: Fleet, registry: Registry, images: str) -> None:
    fleet.run("pin", "box")
    before = fleet.text()
    moved = registry.push_list(f"{images}/vllm", "v0.9.1", "arm64", "amd64")

    assert "nothing changed" in fleet.run("pin", "box")
    assert fleet.text() == before
    fleet.run("pin", "box", "--update", "cache")
    assert fleet.text() == before
    fleet.run("pin", "box", "--update", "chat")
    assert fleet.lock()["images"][f"{fleet.registry}/vllm:v0.9.1"]["digest"] == moved
    assert "unknown tier" in fleet.run("pin", "box", "--update", "chatt", code=1)


def test_check_tells_where_lock_and_inventory_differ_and_asks_nobody(fleet: Fleet, front: Front, hub: HubStub) -> None:
    fleet.run("pin", "box", "--check", code=2)
    fleet.run("pin", "box")
    front.asked.clear()
    hub.asked.clear()
    fleet.run("pin", "box", "--check")
    fleet.add(
        "box", INVENTORY.replace("org/chat", "org/other").replace("[services.cache]\nimage", "[services.c]\nimage")
    )
    before = fleet.text()
    answer = json.loads(fleet.run("pin", "--all", "--check", "--json", code=2))
    changes = [(one["action"], one["name"], one["owners"]) for one in answer["hosts"][0]["changes"]]

    assert changes == [("remove", "org/chat", []), ("add", "org/other", ["chat"])]
    assert fleet.text() == before
    assert front.asked + hub.asked == []


def test_what_hosts_have_alike_is_in_the_lock_of_the_fleet(fleet: Fleet, registry: Registry, images: str) -> None:
    fleet.add("other", INVENTORY.replace("[tiers.own]", "[tiers.third]").partition("[services")[0])
    fleet.run("pin", "--all")
    name = f"{fleet.registry}/vllm:v0.9.1"

    assert [*fleet.lock("fleet")["images"]] == [name]
    assert "images" not in fleet.lock("other")
    assert [*fleet.lock("box")["images"]] == [f"{fleet.registry}/redis:latest"]
    for host in ("box", "other"):
        fleet.run("pin", host, "--check")
    old = fleet.lock("fleet")["images"][name]["digest"]
    new = registry.push_list(f"{images}/vllm", "v0.9.1", "arm64", "amd64")
    fleet.run("pin", "box", "--update", "chat")

    assert fleet.lock("box")["images"][name]["digest"] == new
    assert fleet.lock("other")["images"][name]["digest"] == old
    assert "images" not in fleet.lock("fleet")
    fleet.run("pin", "--all", "--update-all")
    assert fleet.lock("fleet")["images"][name]["digest"] == new


def test_another_platform_is_an_error_with_both(fleet: Fleet) -> None:
    fleet.add("box", INVENTORY.replace("[hfcache]", '[host]\narchitecture = "arm64"\n[hfcache]'))
    printed = fleet.run("pin", "box", code=1)

    assert "redis:latest is for linux/amd64, and the host is linux/arm64" in printed
    assert "vllm:v0.9.1 is for" not in printed
    assert fleet.text() == ""


@pytest.mark.parametrize("listed", [True, False])
def test_lists_and_single_manifests_of_docker_are_read_too(
    fleet: Fleet, registry: Registry, images: str, listed: bool
) -> None:
    if listed:
        digest = registry.push_list(f"{images}/redis", "latest", "amd64", form=DOCKER_LIST)
    else:
        digest = registry.push(f"{images}/redis", "latest", form=DOCKER_MANIFEST)
    fleet.run("pin", "box")

    assert fleet.lock()["images"][f"{fleet.registry}/redis:latest"] == {
        "digest": digest,
        "platforms": ["linux/amd64"],
    }


def test_a_registry_that_is_busy_is_asked_again(fleet: Fleet, front: Front) -> None:
    front.refusals += [Refusal(429, {"Retry-After": "0"}), Refusal(503, {"Retry-After": "0"})]
    fleet.run("pin", "box")

    assert fleet.run("pin", "box", "--check")


def test_nobody_that_stays_away_costs_the_old_lock(fleet: Fleet, front: Front, hub: HubStub) -> None:
    fleet.run("pin", "box")
    before = fleet.text()
    asked = len(front.asked)
    front.refusals += [Refusal(429, {"Retry-After": "0"})] * 40
    hub.refusals += [Refusal(429, {"Retry-After": "0"})] * 40
    codes = fleet.codes("pin", "box", "--update-all")

    assert codes == [
        ("registry-limits-requests", "services.cache.image"),
        ("registry-limits-requests", "tiers.chat.image"),
        ("registry-limits-requests", "tiers.chat.model.repo"),
        ("registry-limits-requests", "tiers.own.model.repo"),
    ]
    assert len(front.asked) - asked == 10
    assert fleet.text() == before


@pytest.mark.parametrize("gone", ["tag", "repository", "registry", "hub"])
def test_what_is_not_there_is_told_at_its_place(fleet: Fleet, hub: HubStub, gone: str) -> None:
    fleet.run("pin", "box")
    before = fleet.text()
    if gone == "hub":
        fleet.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
        fleet.add("box", INVENTORY.replace("org/chat", "org/new"))
        expected = ("hub-does-not-answer", "tiers.chat.model.repo")
    else:
        image = {"tag": "{registry}/vllm:v9", "repository": "{registry}/x:1", "registry": "127.0.0.1:9/x:1"}[gone]
        fleet.add("box", INVENTORY.replace("{registry}/vllm:v0.9.1", image))
        code = "registry-does-not-answer" if gone == "registry" else "image-is-not-in-its-registry"
        expected = (code, "tiers.chat.image")

    assert fleet.codes("pin", "box") == [expected]
    assert fleet.text() == before


def test_a_model_that_is_not_there_is_told_at_its_place(fleet: Fleet) -> None:
    fleet.add("box", INVENTORY.replace("org/chat", "org/none").replace('"v1"', '"v2"'))

    assert fleet.codes("pin", "box") == [
        ("model-is-not-on-the-hub", "tiers.chat.model.repo"),
        ("model-is-not-on-the-hub", "tiers.own.model.repo"),
    ]


@pytest.mark.parametrize("how", ["auths", "identity", "credHelpers", "credsStore"])
def test_the_login_of_docker_opens_a_registry(fleet: Fleet, registry: Registry, images: str, how: str) -> None:
    with Front(registry.address, user="me", password="secret-of-me").running() as closed:
        fleet.registry = f"{closed.address}/{images}"
        fleet.add("box")
        refused = fleet.run("pin", "box", code=1)
        helper = fleet.folder / "docker-credential-box"
        helper.write_text(
            f'#!/bin/sh\nread -r host\n[ "$host" = {closed.address} ] || exit 1\n'
            'echo \'{"Username": "me", "Secret": "secret-of-me"}\'\n',
            "utf-8",
        )
        helper.chmod(0o755)
        fleet.variables["PATH"] = f"{fleet.folder}{os.pathsep}{os.environ['PATH']}"
        configurations: dict[str, dict[str, Any]] = {
            "auths": {"auths": {closed.address: basic("me", "secret-of-me")}},
            "identity": {"auths": {closed.address: {"identitytoken": "secret-of-me"}}},
            "credHelpers": {"credHelpers": {closed.address: "box"}},
            "credsStore": {"auths": {closed.address: {}}, "credsStore": "box"},
        }
        docker_config(fleet, configurations[how])
        printed = fleet.run("pin", "box")

    assert f"docker login {closed.address}" in refused
    assert "without a login" in refused
    assert "secret-of-me" not in refused + printed + fleet.text()


def test_a_wrong_login_is_told_and_not_shown(fleet: Fleet, registry: Registry, images: str) -> None:
    with Front(registry.address, user="me", password="right").running() as closed:
        fleet.registry = f"{closed.address}/{images}"
        fleet.add("box")
        docker_config(fleet, {"auths": {closed.address: basic("me", "secret-of-me")}})
        printed = fleet.run("pin", "box", code=1)

    assert "with the login that Docker has for it" in printed
    assert "secret-of-me" not in printed


def test_a_login_of_the_registry_itself(fleet: Fleet, tmp_path: Path) -> None:
    """The real registry with `htpasswd`, which asks for basic authentication."""
    (tmp_path / "htpasswd").write_text(HTPASSWD, "utf-8")
    more = f'auth: {{htpasswd: {{realm: "box", path: "{tmp_path / "htpasswd"}"}}}}'
    with real_registry(tmp_path / "closed", more) as address:
        closed = Registry(address, "Basic " + base64.b64encode(b"me:pass").decode())
        digest = closed.push("vllm", "v0.9.1")
        closed.push("redis", "latest")
        fleet.registry = address
        fleet.add("box")
        assert ("registry-refuses-the-image", "tiers.chat.image") in fleet.codes("pin", "box")
        docker_config(fleet, {"auths": {f"http://{address}": basic("me", "pass")}})
        fleet.run("pin", "box")

    assert fleet.lock()["images"][f"{address}/vllm:v0.9.1"]["digest"] == digest


def test_outdated_tells_what_moved_what_is_newer_and_what_is_gone(
    fleet: Fleet, registry: Registry, images: str, hub: HubStub
) -> None:
    assert "not held" in fleet.run("outdated", "box", code=2)
    fleet.run("pin", "box")
    assert fleet.run("outdated", "box") == "box: up to date\n"
    old = fleet.lock()["images"][f"{fleet.registry}/redis:latest"]["digest"]
    registry.push(f"{images}/redis", "latest", form=DOCKER_MANIFEST)
    registry.remove(f"{images}/redis", old)
    registry.push(f"{images}/vllm", "v0.10.0")
    registry.push(f"{images}/vllm", "v0.10.0-cu130")
    hub.models["org/chat"] = HubModel({"main": COMMIT_B}, CONFIG)
    (answer,) = json.loads(fleet.run("outdated", "box", "--json", code=2))["hosts"]
    by_name = {one["name"].rpartition("/")[2]: one for one in answer["pins"]}
    printed = fleet.run("outdated", "box", code=2)

    assert by_name["redis:latest"]["gone"] is True
    assert by_name["redis:latest"]["newer"] is None
    assert by_name["vllm:v0.9.1"]["newer"] == {"tag": "v0.10.0", "breaks": []}
    assert by_name["vllm:v0.9.1"]["held"] == by_name["vllm:v0.9.1"]["now"]
    assert (by_name["chat"]["held"], by_name["chat"]["now"]) == (COMMIT_A, COMMIT_B)
    assert "its registry no longer has the old one" in printed
    assert "newer: v0.10.0\n" in printed
    assert "3 of 4 to look at" in printed


def test_a_render_asks_nobody(fleet: Fleet, front: Front, hub: HubStub) -> None:
    fleet.run("pin", "box")
    front.asked.clear()
    hub.asked.clear()
    fleet.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
    fleet.run("render", "box")

    assert front.asked + hub.asked == []
