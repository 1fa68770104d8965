"""Names of images, taken apart, and the releases that their tags name."""

from __future__ import annotations

import pytest

from anvil_gen.pin.image_reference import floats, newer_tags, parse_image


@pytest.mark.parametrize(
    ("name", "parts", "local"),
    [
        ("redis", ("docker.io", "library/redis", "latest", ""), False),
        ("docker.io/redis:7", ("docker.io", "library/redis", "7", ""), False),
        ("index.docker.io/a/b", ("docker.io", "a/b", "latest", ""), False),
        ("vllm/vllm-openai:v0.33.0", ("docker.io", "vllm/vllm-openai", "v0.33.0", ""), False),
        ("ghcr.io/a/b/c:1@sha256:2", ("ghcr.io", "a/b/c", "1", "sha256:2"), False),
        ("ghcr.io/a/b@sha256:2", ("ghcr.io", "a/b", "", "sha256:2"), False),
        ("localhost/x", ("localhost", "x", "latest", ""), True),
        ("localhost:5000/x:1", ("localhost:5000", "x", "1", ""), True),
        ("127.0.0.1:5000/x:1", ("127.0.0.1:5000", "x", "1", ""), True),
        ("127.0.0.1.example.org/x:1", ("127.0.0.1.example.org", "x", "1", ""), False),
        ("[::1]:5000/x:1", ("[::1]:5000", "x", "1", ""), True),
    ],
)
def test_a_name_is_completed_as_docker_does(name: str, parts: tuple[str, ...], local: bool) -> None:
    image = parse_image(name)

    assert (image.registry, image.repository, image.tag, image.digest) == parts
    assert image.is_local is local


@pytest.mark.parametrize("tag", ["latest", "nightly", "main", "server", "rocm", "server-cuda", "7-alpine", "dev-cu13"])
def test_a_tag_without_a_release_floats(tag: str) -> None:
    assert floats(tag)
    assert newer_tags(tag, ["v1.0.0", "v2.0.0", tag]) == []


@pytest.mark.parametrize(
    ("tag", "others", "newer"),
    [
        ("v0.33.0", ["v0.33.0", "v0.32.9", "v0.33.1", "v0.40.0", "v0.40", "0.41.0", "latest"], ["v0.40.0", "v0.33.1"]),
        ("v0.33.0", ["v0.34.0rc1", "v0.34.0-cu130", "v0.34.0-x86_64"], []),
        ("v0.5.23-cu130", ["v0.5.24-cu130", "v0.5.25", "v0.5.24-cu129"], ["v0.5.24-cu130"]),
        ("v0.5.6.post1", ["v0.5.6", "v0.5.6.post2", "v0.5.7"], ["v0.5.7", "v0.5.6.post2"]),
        ("server-cuda-b11382", ["server-b11400", "server-cuda-b11390", "server-cuda-b9000"], ["server-cuda-b11390"]),
        ("86-1.9.3", ["86-1.9.4", "89-1.9.5", "86-1.10.0", "86-1.9"], ["86-1.10.0", "86-1.9.4"]),
        ("0.32.15-rocm", ["0.33.0-rocm", "0.33.0"], ["0.33.0-rocm"]),
        ("v0.9.1", ["v0.10.0", "v0.9.9"], ["v0.10.0", "v0.9.9"]),
    ],
)
def test_newer_releases_are_those_of_the_same_line(tag: str, others: list[str], newer: list[str]) -> None:
    assert not floats(tag)
    assert newer_tags(tag, others) == newer
