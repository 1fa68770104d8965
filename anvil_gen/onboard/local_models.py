"""Models that are on a host already: in a model folder, or in the Hugging Face cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from anvil_gen.patterns import lazy_pattern

_USUAL_FOLDERS = ("srv/models", "models", "data/models", "mnt/models", "opt/models", "var/lib/models")
_MOST_ENTRIES = 1000  # of a folder: one with more is not a model folder
_PART = lazy_pattern(r"-(\d+)-of-\d+\.gguf$")


class Model(Struct, frozen=True, kw_only=True):
    """A model in a model folder: ``name`` is its path inside, a folder of weights or a GGUF file."""

    name: str
    size: int  # bytes

    @property
    def is_file(self) -> bool:
        """Tell whether it is a GGUF file."""
        return self.name.endswith(".gguf")


class ModelFolder(Struct, frozen=True, kw_only=True):
    """A model folder, with its largest model first."""

    path: Path
    models: tuple[Model, ...]


def find_models(*, root: Path = Path("/"), home: Path | None = None) -> ModelFolder | None:
    """Return the usual folder with the most models; without models, one that exists; else None."""
    candidates = [*([home / "models"] if home is not None else ()), *(root / name for name in _USUAL_FOLDERS)]
    found = [ModelFolder(path=folder, models=_models(folder)) for folder in candidates if folder.is_dir()]
    return max(found, key=lambda folder: len(folder.models), default=None)


def find_hub_cache(environment: Mapping[str, str], *, home: Path | None = None) -> Path | None:
    """Return the folder of the Hugging Face cache, if it holds a model."""
    named = environment.get("HF_HOME")
    cache = Path(named) if named else home / ".cache" / "huggingface" if home is not None else None
    return cache if cache is not None and any((cache / "hub").glob("models--*")) else None


def _models(folder: Path) -> tuple[Model, ...]:
    found = sorted(_inside(folder, depth=2), key=lambda model: (-model[1], model[0]))
    return tuple(Model(name=path.relative_to(folder).as_posix(), size=size) for path, size in found)


def _inside(folder: Path, *, depth: int) -> Iterator[tuple[Path, int]]:
    """Yield each model below a folder, with its size."""
    with contextlib.suppress(OSError):  # a folder without read permission offers no models
        entries = sorted(folder.iterdir())[:_MOST_ENTRIES]
        files = {entry: entry.stat().st_size for entry in entries if entry.is_file()}
        weights = sum(size for file, size in files.items() if file.suffix == ".safetensors")
        if weights and folder / "config.json" in files:
            yield folder, weights
        yield from _ggufs(files)
        if depth:
            for entry in entries:
                if entry.is_dir() and not entry.name.startswith("."):
                    yield from _inside(entry, depth=depth - 1)


def _ggufs(files: Mapping[Path, int]) -> Iterator[tuple[Path, int]]:
    """Yield each GGUF model: a model of several files is named by its first."""
    for file, size in files.items():
        if file.suffix != ".gguf" or file.name.startswith("mmproj"):
            continue
        part = _PART.search(file.name)
        if part is None:
            yield file, size
        elif int(part[1]) == 1:
            stem = file.name[: part.start()]
            yield file, sum(other for name, other in files.items() if _PART.sub("", name.name) == stem)
