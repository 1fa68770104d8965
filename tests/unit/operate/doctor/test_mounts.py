"""Files, folders, volumes and room on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_engine import engine, subject, told
from fake_machine import kernel

from anvil_gen.operate.doctor.mounts import check_mounts, check_volumes

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
volume = "hub"
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "gpt-oss-20b" }
"""
HUB = """[gpus.big]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 1000000000
[tiers.hub]
engine = "vllm"
gpus = ["big"]
port = 30002
model = { repo = "org/name" }
"""
FOLDER = "srv/models/gpt-oss-20b"


def mounts(folder: Path, text: str = INVENTORY, **more: object) -> list[tuple[str, str, str]]:
    """Return what comes out for the mounts of a host whose disk is ``folder``."""
    return told(check_mounts(subject(folder / "fleet", text, engine(), root=folder, **more)))  # type: ignore[arg-type]


def test_a_model_folder(tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/config.json": "{}", f"{FOLDER}/model.safetensors": "w" * (3 << 20)})

    assert mounts(tmp_path) == [("pass", "files of fast", "/srv/models/gpt-oss-20b: 2 files, 3.0 MiB")]


def test_a_missing_one_with_a_near_name(tmp_path: Path) -> None:
    kernel(tmp_path, {"srv/models/gpt-oss-20B-mxfp4/x": ""})
    (check,) = check_mounts(subject(tmp_path / "fleet", INVENTORY, engine(), root=tmp_path))

    assert check.diagnostic is not None
    assert (check.diagnostic.summary, check.diagnostic.address) == ("missing model folder", "tiers.fast.model")
    assert check.diagnostic.location is not None
    assert check.diagnostic.location.line == 9
    assert 'did you mean "gpt-oss-20B-mxfp4"?' in check.diagnostic.remedy
    assert "\n    hf download REPOSITORY --local-dir " in check.diagnostic.remedy


def test_a_missing_certificate_is_no_model(tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/config.json": "{}"})
    text = INVENTORY + '[router]\ntls = { certificate = "/etc/tls/a.pem", key = "/etc/tls/a.key" }\n'
    checks = check_mounts(subject(tmp_path / "fleet", text, engine(), root=tmp_path))
    diagnostics = [check.diagnostic for check in checks if check.diagnostic is not None]

    assert [diagnostic.summary for diagnostic in diagnostics] == ["missing file"] * 2
    assert all(
        "\n    ls -l " in diagnostic.remedy and diagnostic.remedy.endswith("/etc/tls") for diagnostic in diagnostics
    )


@pytest.mark.parametrize(
    ("files", "summary"),
    [
        ({}, "missing model folder"),
        (
            {f"{FOLDER}/model.safetensors": "version https://git-lfs.github.com/spec/v1\n"},
            "weights were not fetched",
        ),
        ({FOLDER: ""}, "empty model folder"),
    ],
)
def test_what_is_no_model(files: dict[str, str], summary: str, tmp_path: Path) -> None:
    assert [outcome for _, _, outcome in mounts(kernel(tmp_path, files))] == [summary]


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)

    assert mounts(tmp_path) == [("fail", "files of fast", "empty model folder")]


def test_a_link_that_leads_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.parent.mkdir(parents=True)
    folder.symlink_to("nowhere")
    assert mounts(tmp_path) == [("fail", "files of fast", "missing model folder")]

    folder.unlink()
    folder.symlink_to(folder.name)
    assert mounts(tmp_path) == [("fail", "files of fast", "files cannot be checked")]


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)

    scandir = os.scandir

    def refuse(path: str = ".") -> Any:
        if str(path).endswith(FOLDER):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # mode bits do not hold root back
    assert mounts(tmp_path) == [("warn", "files of fast", "files cannot be checked")]


def test_a_path_of_windows(tmp_path: Path) -> None:
    text = INVENTORY.replace("/srv/models", "C:/models")
    assert mounts(tmp_path, text) == [("fail", "files of fast", "missing model folder")]

    kernel(tmp_path, {"mnt/c/models/gpt-oss-20b/config.json": "{}"})
    assert [verdict for verdict, _, _ in mounts(tmp_path, text)] == ["pass"]


def test_a_cache_folder_that_is_written_to(tmp_path: Path) -> None:
    text = INVENTORY.replace('volume = "hub"', 'path = "/srv/hub"').replace('path = "gpt', 'repo = "org/gpt')
    (check,) = check_mounts(subject(tmp_path / "fleet", text, engine(), root=tmp_path))

    assert check.diagnostic is not None
    assert check.diagnostic.summary == "missing folder"
    assert check.diagnostic.remedy.endswith(f"\n    mkdir -p {tmp_path}/srv/hub")


def test_a_folder_that_only_root_can_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = INVENTORY.replace('volume = "hub"', 'path = "/srv/hub"').replace('path = "gpt', 'repo = "org/gpt')
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    (check,) = check_mounts(subject(tmp_path / "fleet", text, engine(), root=tmp_path))

    assert check.diagnostic is not None
    assert check.diagnostic.remedy.endswith(f"\n    sudo mkdir -p {tmp_path}/srv/hub")


def test_a_mount_in_composes_own_keys(tmp_path: Path) -> None:
    text = INVENTORY + "[services.ui]\nimage = 'ui'\nvolumes = ['/a:/a', '/b:/b:ro', '/c:/c']\n"
    (tmp_path / "b").mkdir()
    (tmp_path / "c").symlink_to("/dev/null")

    assert mounts(tmp_path, text)[1:] == [
        ("pass", "files of ui", "/a: does not exist yet, Docker creates it"),
        ("pass", "files of ui", "/b: exists"),
        ("pass", "files of ui", "/c: exists"),
    ]


OWN = """
mounts."/media" = "/srv/videos"
mounts."/out" = { source = "/srv/out", read_only = false }
mounts."/made" = { source = "/srv/made", create = true }
mounts."/here" = "prompts"
mounts."/w" = { volume = "weights" }
[volumes.weights]
external = true
name = "shared-weights"
"""


def test_mounts_of_a_tier_are_no_models(tmp_path: Path) -> None:
    kernel(tmp_path, {f"{FOLDER}/config.json": "{}"})
    (tmp_path / "srv" / "videos").mkdir()
    host = subject(tmp_path / "fleet", INVENTORY + OWN, engine(), root=tmp_path)
    prompts = str(tmp_path / "fleet" / "hosts" / "prompts")

    found = [check.found for check in check_mounts(host) if check.diagnostic is None]
    assert found == [
        "/srv/models/gpt-oss-20b: 2 bytes",
        "/srv/made: does not exist yet, Docker creates it",
        "/srv/videos: exists",
    ]
    faults = [check.diagnostic for check in check_mounts(host) if check.diagnostic is not None]
    assert [(fault.summary, fault.address) for fault in faults] == [
        ("missing folder", 'tiers.fast.mounts."/here"'),
        ("missing folder", 'tiers.fast.mounts."/out"'),
    ]
    assert faults[0].detail.startswith(f"{prompts} does not exist")
    assert "hf download" not in faults[0].remedy
    assert "mkdir" in faults[1].remedy


def test_an_external_volume_is_missed_where_it_is_declared(tmp_path: Path) -> None:
    (check,) = check_volumes(subject(tmp_path, INVENTORY + OWN, engine(volume_ls="weights\n")))

    assert check.diagnostic is not None
    assert (check.what, check.diagnostic.address) == ("volume shared-weights", "volumes.weights")
    assert check.diagnostic.remedy.endswith("\n    docker volume create shared-weights")


def test_files_of_another_machine_are_not_looked_at(tmp_path: Path) -> None:
    far = subject(tmp_path, INVENTORY, engine(), at="ssh://me@box")

    assert told(check_mounts(far)) == []


def test_what_only_a_trial_needs_is_warned_of(tmp_path: Path) -> None:
    text = INVENTORY.partition("[tiers.fast]")[0] + HUB.partition("[gpus")[0]
    text += "[tiers.plain]\nengine = 'custom'\nimage = 'x'\nport = 1\n[experiment]\nengine = 'vllm'\nport = 30010\n"
    host = subject(tmp_path, text, engine(), with_slot=True)
    assert told(check_volumes(host)) == [("warn", "volume hub", "missing external volume")]

    folder = subject(tmp_path, text.replace('volume = "hub"', 'path = "/srv/hub"'), engine(), with_slot=True)
    assert told(check_mounts(folder)) == [("warn", "files of experiment", "missing folder")]


def test_volumes(tmp_path: Path) -> None:
    text = INVENTORY + HUB
    (check,) = check_volumes(subject(tmp_path, text, engine(volume_ls="other\nhubs\n")))
    assert check.diagnostic is not None
    assert check.diagnostic.summary == "missing external volume"
    assert check.diagnostic.remedy.endswith("\n    docker volume create hub")

    there = subject(tmp_path, text, engine(volume_ls="other\nhub\n"))
    assert told(check_volumes(there)) == [("pass", "volume hub", "exists")]
    assert told(check_volumes(subject(tmp_path, text))) == []
