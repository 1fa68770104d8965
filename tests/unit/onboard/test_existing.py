"""Compose files that `init` offers to import."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.onboard.existing import compose_file_in


def test_a_compose_file_is_found_unless_it_is_rendered(tmp_path: Path) -> None:
    assert compose_file_in(tmp_path) is None

    (tmp_path / "docker-compose.yml").write_text("services: {a: {image: x}}\n", "utf-8")
    assert compose_file_in(tmp_path) == tmp_path / "docker-compose.yml"

    (tmp_path / "docker-compose.yml").write_text("# Made by anvil-gen from hosts/box.toml\nservices: {}\n", "utf-8")
    assert compose_file_in(tmp_path) is None
