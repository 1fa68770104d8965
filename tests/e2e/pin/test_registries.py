"""What `pin` says where a registry or the hub refuses, is away, or wants a login."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from pin_servers import DOCKER_LIST, DOCKER_MANIFEST, Front, HubStub, Refusal, Registry, real_registry

from e2e.pin.fleet import INVENTORY, Fleet, basic, docker_config

# The password is "pass".
HTPASSWD = "me:$2y$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K\n"


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
