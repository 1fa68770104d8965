"""Where an installation came from, by what pip recorded of it."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from onboarding import TemplateRepository, git

from anvil_gen import __version__
from anvil_gen.onboard.template_source import Source, ref_of, source_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def installed(folder: Path, direct_url: dict[str, Any] | None, *urls: str) -> Distribution:
    """Return an installed package with what pip wrote beside it."""
    (folder / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", "Name: anvil-gen", "Version: 1", *(f"Project-URL: {url}" for url in urls)]),
        "utf-8",
    )
    if direct_url is not None:
        (folder / "direct_url.json").write_text(json.dumps(direct_url), "utf-8")
    return Distribution.at(folder)


@pytest.mark.parametrize(
    ("asked", "ref"), [("v1.2.3", "v1.2.3"), ("1.2.3", "1.2.3"), ("main", COMMIT), ("v1", COMMIT), (None, COMMIT)]
)
def test_from_a_repository(asked: str | None, ref: str, tmp_path: Path) -> None:
    vcs = {"vcs": "git", "commit_id": COMMIT, **({"requested_revision": asked} if asked else {})}
    found = source_of(installed(tmp_path, {"url": "https://git.example/a/b", "vcs_info": vcs}))

    assert found == Source(url="git+https://git.example/a/b", ref=ref)


@pytest.mark.parametrize(
    ("direct", "urls", "url"),
    [
        (None, [], ""),
        (None, ["Homepage, https://example.org", "Repository, https://git.example/a"], "git+https://git.example/a"),
        (None, ["Homepage, https://example.org"], ""),
        (
            {"url": "file:///x/anvil_gen-1.whl", "archive_info": {}},
            ["Source, https://git.example/b"],
            "git+https://git.example/b",
        ),
    ],
)
def test_from_an_index_or_a_file(direct: dict[str, Any] | None, urls: list[str], url: str, tmp_path: Path) -> None:
    assert source_of(installed(tmp_path, direct, *urls)) == Source(url=url, ref=ref_of(__version__))


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("https://git.example/a.git", "git+https://git.example/a.git"),
        ("git@git.example:a.git", "git@git.example:a.git"),
        ("/somewhere/else", None),
        (None, None),
    ],
)
def test_from_a_clone(origin: str | None, url: str | None, tmp_path: Path) -> None:
    clone = TemplateRepository(tmp_path / "a clone").folder
    if origin is not None:
        git(clone, "remote", "add", "origin", origin)
    info = tmp_path / "info"
    info.mkdir()
    found = source_of(installed(info, {"url": clone.as_uri(), "dir_info": {"editable": True}}))

    assert found == Source(url=url or clone.as_posix(), ref="v0.1.0")


def test_from_a_folder_without_versions(tmp_path: Path) -> None:
    info = tmp_path / "info"
    info.mkdir()
    (tmp_path / "unpacked").mkdir()
    found = source_of(installed(info, {"url": (tmp_path / "unpacked").as_uri(), "dir_info": {}}))

    assert found == Source(url="", ref=ref_of(__version__))


@pytest.mark.parametrize(
    ("version", "ref"),
    [
        ("0.1.0", "v0.1.0"),
        ("1.2", "v1.2"),
        ("1.2.0rc1", "v1.2.0rc1"),
        ("0.1.1.dev3+gabcdef012", "abcdef012"),
        ("0.1.1.dev3+gabcdef012.d20260101", "abcdef012"),
        ("0.1.0+dirty", ""),
        ("0.1.0.dev0", ""),
    ],
)
def test_a_development_version_is_no_tag(version: str, ref: str) -> None:
    assert ref_of(version) == ref
