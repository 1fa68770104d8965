"""Requests that wait and try again, and where credentials do not go."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from free_ports import free_port
from pin_servers import Front, Refusal

from anvil_gen.pin.docker_credentials import credentials_of
from anvil_gen.pin.no_answer import NotAnsweredError
from anvil_gen.pin.registry import Registries
from anvil_gen.pin.web import NoAnswerError, Web, wait_seconds


class Bare(Front):
    """Answers the same to everything."""

    def own_answer(self, request: object) -> Refusal:
        return Refusal(200, {"Content-Type": "application/json"}, b"{}")


@pytest.fixture
def server() -> Iterator[Front]:
    with Bare().running() as running:
        yield running


def test_a_busy_server_is_asked_again_after_what_it_asks_for(server: Front) -> None:
    waited: list[float] = []
    server.refusals += [Refusal(429, {"Retry-After": "7"}), Refusal(503), Refusal(429, {"Retry-After": "x"})]
    answer = Web(sleep=waited.append).send("GET", f"http://{server.address}/", {})

    assert answer.status == 200
    assert waited == [7.0, 2.0, 4.0]


def test_a_server_that_stays_busy_is_asked_five_times(server: Front) -> None:
    waited: list[float] = []
    server.refusals += [Refusal(429)] * 9
    answer = Web(sleep=waited.append).send("GET", f"http://{server.address}/", {})

    assert answer.status == 429
    assert waited == [1.0, 2.0, 4.0, 8.0]


def test_nobody_waits_for_ever() -> None:
    assert wait_seconds(0, "86400") == 30.0
    assert wait_seconds(0, formatdate(0, usegmt=True)) == 0.0
    assert wait_seconds(9, "") == 30.0


def test_who_does_not_listen_is_not_asked_again() -> None:
    waited: list[float] = []
    with pytest.raises(NoAnswerError):
        Web(sleep=waited.append).send("GET", f"http://127.0.0.1:{free_port()}/", {})

    assert waited == []


def test_an_answer_without_end_is_cut(server: Front) -> None:
    server.refusals.append(Refusal(200, {}, b"x" * (5 << 20)))
    with pytest.raises(NoAnswerError, match="4 MiB"):
        Web().send("GET", f"http://{server.address}/", {})


def test_a_login_does_not_follow_to_another_server(server: Front) -> None:
    with Bare().running() as other:
        server.refusals.append(Refusal(307, {"Location": f"http://{other.address}/blob"}))
        Web().send("GET", f"http://{server.address}/", {"Authorization": "Basic c2VjcmV0"})

    assert other.asked == [("GET", "/blob", "")]


def test_a_registry_that_is_none_is_told(server: Front) -> None:
    server.refusals.append(Refusal(200, {"Content-Type": "text/html"}, b"<html>"))
    with pytest.raises(NotAnsweredError) as caught:
        Registries().pin(f"{server.address}/x:1", "amd64")

    assert caught.value.code == "registry-does-not-answer"


def test_what_has_another_digest_than_it_says_is_refused(server: Front) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})
    server.refusals.append(Refusal(200, {"Docker-Content-Digest": f"sha256:{'0' * 64}"}, body.encode()))
    with pytest.raises(NotAnsweredError, match="another digest"):
        Registries().pin(f"{server.address}/x:1", "amd64")


def test_the_form_that_has_no_digest_is_refused(server: Front) -> None:
    body = json.dumps({"schemaVersion": 1, "name": "x", "tag": "1"}).encode()
    server.refusals.append(
        Refusal(200, {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, body)
    )
    with pytest.raises(NotAnsweredError, match="no digest"):
        Registries().pin(f"{server.address}/x:1", "amd64")


def config(folder: Path, data: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(data), "utf-8")
    return path


def test_the_hub_of_docker_has_its_own_name_in_the_configuration(tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:a:b").decode()
    found = credentials_of("docker.io", config(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": auth}}}))

    assert found is not None
    assert (found.user, found.secret, found.identity) == ("me", "a:b", False)
    assert "a:b" not in repr(found)


@pytest.mark.parametrize("data", [{}, {"auths": {"ghcr.io.evil.org": {"auth": "bWU6cGFzcw=="}}}, {"auths": None}, []])
def test_a_registry_without_a_login_has_none(tmp_path: Path, data: object) -> None:
    assert credentials_of("ghcr.io", config(tmp_path, data)) is None
    assert credentials_of("ghcr.io", tmp_path / "nothing.json") is None
