"""What is known of a host before its inventory is resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.resolve.host import Host


@pytest.mark.parametrize(
    ("table", "project", "output", "context"),
    [
        ("", "box", "deploy/box", None),
        ('[host]\nname = "other"', "other", "deploy/other", None),
        ('[host]\nproject = "mine"\noutput = "../out"\ndocker_context = "lab"', "mine", "out", "lab"),
        ("[host]\nproject = 3", "box", "deploy/box", None),
    ],
)
def test_where_a_host_is(table: str, project: str, output: str, context: str | None, tmp_path: Path) -> None:
    path = tmp_path / "hosts" / "box.toml"
    path.parent.mkdir()
    path.write_text(f"schema = 1\n{table}\n", "utf-8")

    reading = Host(path, Catalog(tmp_path / "templates"))
    assert (reading.project, reading.output, reading.docker_context) == (project, tmp_path / output, context)


def test_another_output_is_part_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "a box.toml"
    path.write_text("schema = 1\n", "utf-8")

    reading = Host(path, Catalog(tmp_path / "templates"), output=tmp_path / "out")
    assert reading.output == tmp_path / "out"
    assert reading.command == f"anvil-gen render '{path.as_posix()}' --output {(tmp_path / 'out').as_posix()}"
