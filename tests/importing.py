"""Imports for tests: sources in a folder of their own, with the files that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from places import REPOSITORY

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.importing.run import ImportResult, Request, run_import

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENERATOR = Generator()
FILES = {
    ".env": "HF_TOKEN=\nNGC_API_KEY=placeholder\nTEAL_MODEL=oakmere/teal-8b-instruct\nTEAL_REVISION=main\n",
    "serving.env": "SERVING=yes\n",
    "rail.ini": "[rail]\n",
    "chat.jinja": "{{ x }}\n",
    "hub_token.txt": "x\n",
}


def read_forms(name: str) -> str:
    """Return the source of a form."""
    return (REPOSITORY / "tests" / "forms" / f"{name}.yml").read_text("utf-8")


class Importing:
    """Imports into ``hosts/box.toml`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "box"
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the source."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def run(self, text: str, known_gpus: Mapping[int, str] | None = None) -> ImportResult:
        """Return the import of a compose file, on a host of some GPUs."""
        self.write("compose.yml", text)
        return self._import([self.folder / "compose.yml"], known_gpus or {})

    def files(self, *names: str) -> ImportResult:
        """Return the import of files of the folder."""
        return self._import([self.folder / name for name in names], {})

    def proved(self, text: str) -> str:
        """Return the inventory of a compose file that is read alike."""
        imported = self.run(text).imported
        assert imported.residue == (), imported.text
        return imported.text

    def _import(self, files: Sequence[Path], known_gpus: Mapping[int, str]) -> ImportResult:
        output = self.folder / "hosts" / "box.toml"
        request = Request(sources=[str(file) for file in files], output=output, known_gpus=known_gpus)
        return run_import(request, GENERATOR)
