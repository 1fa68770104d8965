"""Files of models as their containers have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import engine, subject
from fake_machine import kernel

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.doctor.container_files import ContainerFiles
from anvil_gen.operate.doctor.diagnose import obstacles
from anvil_gen.operate.doctor.mounts import check_mounts

FOLDER = "srv/models/gpt-oss-20b"
INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
model = { path = "gpt-oss-20b" }
"""


def found(folder: Path, text: str = INVENTORY) -> Diagnostic | None:
    """Return what is wrong with the model of a host whose disk is ``folder``; `up` refuses all of it."""
    host = subject(folder / "fleet", text, engine(), root=folder)
    diagnostics = [check.diagnostic for check in check_mounts(host) if check.diagnostic is not None]
    codes = [diagnostic.code for diagnostic in diagnostics]
    assert [one.code for one in obstacles(host) if one.code in codes] == codes
    return diagnostics[0] if diagnostics else None


def told(folder: Path, text: str = INVENTORY) -> str:
    diagnostic = found(folder, text)
    assert diagnostic is not None
    return f"{diagnostic.code} {diagnostic.address} {diagnostic.detail} {diagnostic.remedy}"


def test_a_snapshot_of_the_cache_leads_out_of_its_mount(tmp_path: Path) -> None:
    cache = "srv/hf/hub/models--Qwen--Qwen3-8B"
    kernel(tmp_path, {f"{cache}/blobs/aa": "{}", f"{cache}/blobs/bb": "w"})
    snapshot = tmp_path / cache / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/aa")
    (snapshot / "model.safetensors").symlink_to("../../blobs/bb")
    text = told(tmp_path, INVENTORY.replace("gpt-oss-20b", f"/{cache}/snapshots/0123abc"))

    assert text.startswith("link-out-of-the-mount tiers.fast.model config.json in /srv/hf/hub/")
    assert "as 1 more, is a link to ../../blobs/aa, which is not in the container" in text
    assert 'model = { repo = "Qwen/Qwen3-8B", revision = "0123abc" }, and path = "/srv/hf" in [hfcache]' in text


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("weights/a", None),  # in the mount
        ("../gpt-oss-20b/weights/a", "link-out-of-the-mount"),  # the host finds it, the container has no such folder
        ("/srv/models/gpt-oss-20b/weights/a", "link-out-of-the-mount"),
        ("/models/gpt-oss-20b/weights/a", None),  # only the container finds it
        ("nowhere", "link-out-of-the-mount"),
        ("model.safetensors", "link-out-of-the-mount"),  # itself
    ],
)
def test_a_link_is_followed_as_the_container_does(link: str, code: str | None, tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/config.json": '{"a": 1}', f"{FOLDER}/weights/a": "w"})
    (tmp_path / FOLDER / "model.safetensors").symlink_to(link)
    diagnostic = found(tmp_path, INVENTORY.replace("{ path", '{ mount = "/models/gpt-oss-20b", path'))

    # The name of the folder in the container is the host's, so that this link works in both.
    expected = None if link.startswith("../gpt-oss") else code
    assert (diagnostic.code if diagnostic else None) == expected


def test_a_linked_folder_is_mounted_as_what_it_links_to(tmp_path: Path) -> None:
    kernel(tmp_path, {"data/real/config.json": '{"a": 1}', "data/real/model.safetensors": "w"})
    (tmp_path / "srv" / "models").mkdir(parents=True)
    (tmp_path / FOLDER).symlink_to(tmp_path / "data" / "real")

    assert found(tmp_path) is None


def test_places_that_other_mounts_have(tmp_path: Path) -> None:
    kernel(tmp_path, {"a/x": "", "b/y": ""})
    (tmp_path / "a" / "to_b").symlink_to("../other/y")
    (tmp_path / "a" / "to_volume").symlink_to("/volume/z")
    (tmp_path / "a" / "out").symlink_to("..")
    files = ContainerFiles({"/m": tmp_path / "a", "/other": tmp_path / "b", "/volume": None})

    has = {name: files.has(f"/m/{name}") for name in ("x", "nothing", "to_b", "to_volume", "out/m/x", "out/a/x")}
    assert has == {"x": True, "nothing": False, "to_b": True, "to_volume": True, "out/m/x": True, "out/a/x": False}


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"model-00001-of-00002.safetensors": "w"}, "model-00002-of-00002.safetensors of"),
        ({"model-00002-of-00002.safetensors": "w"}, "model-00001-of-00002.safetensors of"),
        (
            {"model.safetensors.index.json": json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})},
            "a.safetensors, b.safetensors of",
        ),
        ({"model-00001-of-00002.safetensors": "w", "model-00002-of-00002.safetensors": "w"}, ""),
        # Parts of two models in one folder.
        ({"a-00001-of-00001.safetensors": "w", "b-00001-of-00001.safetensors": "w"}, ""),
    ],
)
def test_all_parts_are_counted(files: dict[str, str], missing: str, tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/{name}": text for name, text in {**files, "config.json": '{"a": 1}'}.items()})

    if missing:
        assert told(tmp_path).startswith(f"model-is-incomplete tiers.fast.model {missing} /srv/models/gpt-oss-20b ")
    else:
        assert found(tmp_path) is None


def test_parts_of_a_gguf_are_missed(tmp_path: Path) -> None:
    kernel(tmp_path, {"srv/models/m-00001-of-00002.gguf": "GGUF"})
    text = '{ file = "m-00001-of-00002.gguf" }'
    inventory = INVENTORY.replace('{ path = "gpt-oss-20b" }', text).replace("vllm", "llamacpp")

    assert "/srv/models/m-00002-of-00002.gguf does not exist" in told(tmp_path, inventory)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"model.safetensors": "w"}, "has no config.json or params.json, by which vLLM knows the model"),
        (
            {"sub/config.json": '{"a": 1}', "sub/model.safetensors": "w"},
            'name the folder of the model itself: "gpt-oss-20b/sub"',
        ),
        ({"m.gguf": "GGUF"}, "m.gguf is a GGUF file"),
        (
            {"config.json": "<html>", "model.safetensors": "w"},
            "config.json in /srv/models/gpt-oss-20b is no JSON object",
        ),
        ({"params.json": '{"dim": 1}', "consolidated.safetensors": "w"}, ""),
    ],
)
def test_the_configuration_is_read(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/{name}": text for name, text in files.items()})

    if expected:
        text = told(tmp_path)
        assert text.startswith("model-config-is-missing tiers.fast.model ")
        assert expected in text
    else:
        assert found(tmp_path) is None


def test_an_adapter_has_a_configuration_of_its_own(tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/config.json": '{"a": 1}', "srv/models/sql/adapter_config.json": '{"r": 8}'})
    text = f'{INVENTORY}lora = {{ sql = "sql" }}\n'
    assert found(tmp_path, text) is None

    (tmp_path / "srv/models/sql/adapter_config.json").unlink()
    (tmp_path / "srv/models/sql/adapter_model.safetensors").write_text("w")
    assert "/srv/models/sql has no config.json or params.json" in told(tmp_path, text)


def test_a_flag_may_name_the_configuration_elsewhere(tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/model.safetensors": "w"})

    assert found(tmp_path, f'{INVENTORY}flags.hf-config-path = "/etc/model"\n') is None
