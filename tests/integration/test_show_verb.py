"""`anvil-gen show` as it is typed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from running import anvil_gen
from toy_engine import TOY_ENGINE, TOY_INVENTORY, fleet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": TOY_ENGINE})
    return tmp_path


def test_the_only_host_need_not_be_named(folder: Path) -> None:
    named, alone = anvil_gen("show", "box", cwd=folder), anvil_gen("show", cwd=folder)

    assert (named.code, named.stdout.startswith("box  ")) == (0, True)
    assert alone.stdout == named.stdout


def test_a_picture_of_all_hosts_goes_to_stdout(folder: Path) -> None:
    image = anvil_gen("show", "--all", "--format", "svg", cwd=folder)
    page = anvil_gen("show", "--all", "--format", "html", cwd=folder)

    assert "box" in "".join(ElementTree.fromstring(image.stdout).itertext())
    assert page.stdout.startswith("<!DOCTYPE html>")
    assert page.stdout.count("<svg ") == 1


def test_a_host_and_all_of_them_is_a_mistake(folder: Path) -> None:
    done = anvil_gen("show", "box", "--all", cwd=folder)
    assert (done.code, "name a HOST, or --all" in done.stderr) == (1, True)
