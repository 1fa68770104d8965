"""A host whose Docker runs containers under SELinux: what they mount is labelled, or they run without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from running import anvil_gen, fleet

from anvil_gen.catalog.catalog import Catalog

TEXT = """schema = 1
[host]
selinux = true
[hfcache]
volume = "hub"
[tiers.local]
engine = "llamacpp"
model.file = "/srv/x.gguf"
port = 30001
[tiers.hub]
engine = "vllm"
model.repo = "org/name"
port = 30002
files."/etc/template.jinja" = "template.jinja"
[services.ui]
image = "ui:1"
files."/etc/ui.conf" = "ui.conf"
[router]
KIND
"""


def services(folder: Path, text: str) -> dict[str, Any]:
    home = fleet(folder, box=text)
    for name in ("template.jinja", "ui.conf"):
        (home / "hosts" / name).write_text("x", "utf-8")
    done = anvil_gen("render", "box", cwd=home)
    assert done.code == 0, done.stderr
    found: dict[str, Any] = compose_config(home / "deploy/box")["services"]
    return found


def labels(service: dict[str, Any]) -> dict[str, str | None]:
    """Return the label of each bind mount, by its place."""
    return {
        mount["target"]: mount.get("bind", {}).get("selinux") for mount in service["volumes"] if mount["type"] == "bind"
    }


@pytest.mark.parametrize("kind", Catalog().names("routers"))
def test_all_that_is_mounted_can_be_read(kind: str, tmp_path: Path) -> None:
    project = "project = 'anvil-box'\nselinux" if kind == "anvil" else "selinux"
    found = services(tmp_path, TEXT.replace("KIND", f'kind = "{kind}"').replace("selinux", project, 1))

    for name, service in found.items():
        unlabelled = [place for place, label in labels(service).items() if label != "z"]
        assert bool(unlabelled) == ("label=disable" in service.get("security_opt", ())), name
    assert labels(found["local"]) == {"/models/x.gguf": None}
    assert labels(found["hub"]) == {"/etc/template.jinja": "z"}
    assert labels(found["ui"]) == {"/etc/ui.conf": "z"}
    assert set(labels(found["router"]).values()) == {"z"}


def test_certificates_of_the_host_are_left_as_they_are(tmp_path: Path) -> None:
    text = TEXT.replace("KIND", 'tls = { certificate = "/etc/tls/a.pem", key = "/etc/tls/a.key" }')
    router = services(tmp_path, text)["router"]

    assert router["security_opt"] == ["no-new-privileges:true", "label=disable"]
    assert labels(router)["/etc/router-tls/tls.pem"] is None


def test_elsewhere_nothing_is_labelled(tmp_path: Path) -> None:
    for service in services(tmp_path, TEXT.replace("selinux = true", "").replace("KIND", "")).values():
        assert set(labels(service).values()) <= {None}
        assert "label=disable" not in service.get("security_opt", ())
