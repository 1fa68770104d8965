"""Sources of an engine as pip gives them, from packages of the tests' own."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from flag_sources import python_source


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all that pip knows."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(packages: Path, engine: str, version: str, files: dict[str, str]) -> None:
    """Write a wheel."""
    about = f"{engine}-{version}.dist-info"
    metadata = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {engine}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(packages / f"{engine}-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, **metadata}.items():
            archive.writestr(name, text)


def sdist(packages: Path, engine: str, version: str, files: dict[str, str]) -> None:
    """Write a source distribution whose build fails, as vLLM's does without CUDA."""
    build = '[build-system]\nrequires = []\nbuild-backend = "no_such_backend"\nbackend-path = ["."]\n'
    about = f"Metadata-Version: 2.1\nName: {engine}\nVersion: {version}\n"
    root = f"{engine}-{version}"
    with tarfile.open(packages / f"{root}.tar.gz", "w:gz") as archive:
        for name, text in {**files, "pyproject.toml": build, "PKG-INFO": about}.items():
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def test_the_source_that_a_failed_build_leaves(packages: Path, tmp_path: Path) -> None:
    sdist(packages, "vllm", "0.1.0", {"vllm/__init__.py": "", "vllm/engine/arg_utils.py": "x = 1\n"})
    place = python_source("vllm", "0.1.0", tmp_path)

    assert place == tmp_path / "vllm" / "0.1.0"
    assert (place / "vllm" / "engine" / "arg_utils.py").read_text("utf-8") == "x = 1\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp")] == []


def test_without_a_source_the_python_files_of_the_wheel(packages: Path, tmp_path: Path) -> None:
    wheel(packages, "sglang", "0.2", {"sglang/srt/server_args.py": "x = 2\n", "sglang/kernel.so": "no text"})
    place = python_source("sglang", "0.2", tmp_path)

    assert [path.name for path in sorted(place.rglob("*")) if path.is_file()] == ["server_args.py"]


def test_what_is_there_is_kept(packages: Path, tmp_path: Path) -> None:
    kept = tmp_path / "vllm" / "0.3" / "vllm"
    kept.mkdir(parents=True)

    assert python_source("vllm", "0.3", tmp_path) == kept.parent
    assert list(packages.iterdir()) == []
