"""The command that brings an extra, by how the program was installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.installation import install_command

RECEIPT = '[tool]\nrequirements = [{{ name = "anvil-gen"{source} }}]\n'


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, 'pip install "anvil-gen[hub]"'),
        ({"pyvenv.cfg": "home = /usr/bin\nversion = 3.13\n"}, 'pip install "anvil-gen[hub]"'),
        ({"pyvenv.cfg": "home = /usr/bin\nuv = 0.9.2\n"}, 'uv pip install "anvil-gen[hub]"'),
        ({"pipx_metadata.json": "{}"}, "pipx inject anvil-gen huggingface_hub"),
        ({"uv-receipt.toml": RECEIPT.format(source="")}, "uv tool install --with huggingface_hub anvil-gen"),
        (
            {"uv-receipt.toml": RECEIPT.format(source=', directory = "/src/anvil-gen"')},
            "uv tool install --with huggingface_hub /src/anvil-gen",
        ),
        (
            {"uv-receipt.toml": RECEIPT.format(source=', git = "https://example.org/anvil-gen"')},
            "uv tool install --with huggingface_hub git+https://example.org/anvil-gen",
        ),
        ({"uv-receipt.toml": "no = [toml"}, "uv tool install --with huggingface_hub anvil-gen"),
    ],
)
def test_each_installation_has_a_command_of_its_own(tmp_path: Path, files: dict[str, str], command: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert install_command("hub", ("huggingface_hub",), tmp_path) == command
