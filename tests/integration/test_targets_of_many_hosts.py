"""Hosts of many kinds for Kubernetes and Podman: what reads the files there takes them, and they fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
from kube_claims import selectors
from kube_objects import built, problems
from kube_schemas import VERSIONS, validate
from places import REPOSITORY
from podman_units import generated

from anvil_gen.deploy.pipeline import Generator

HOSTS = sorted((REPOSITORY / "tests/target_hosts").glob("*.toml"))


def written(inventory: Path, folder: Path, target: str) -> Path:
    """Return the folder of what is rendered of an inventory."""
    (folder / "hosts").mkdir()
    copy = folder / "hosts" / inventory.name
    copy.write_bytes(inventory.read_bytes())
    for path, content in Generator().render(copy, target=target).tree.files.items():
        (folder / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "out" / path).write_text(content, "utf-8")
    return folder / "out"


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.stem)
def test_kubernetes_takes_it_in_every_mode(host: Path, tmp_path: Path) -> None:
    folder = written(host, tmp_path, "kubernetes")
    for mode in (folder, *folder.glob("modes/*")):
        objects = built(mode)
        assert problems(objects) == []
        for one in objects:
            validate(one, VERSIONS[0])
            validate(one, VERSIONS[-1])
        assert all(count > 0 for _, count in selectors(objects).values())


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.stem)
def test_podman_makes_services_of_it(host: Path, tmp_path: Path) -> None:
    folder = written(host, tmp_path, "quadlet")

    containers = {path.stem for path in folder.glob("*.container")}
    assert containers
    assert containers <= {name.removesuffix(".service") for name in generated(folder)}
