"""A real registry on loopback, a stub of the Hugging Face Hub, and a fleet that asks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pin_servers import Front, HubStub, Registry, real_registry

from e2e.pin.fleet import MODELS, Fleet


@pytest.fixture(scope="package")
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


@pytest.fixture
def fleet(tmp_path: Path, hub: HubStub, front: Front, images: str) -> Fleet:
    made = Fleet(tmp_path, hub, f"{front.address}/{images}")
    made.add("box")
    return made
