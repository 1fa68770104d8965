"""Where the facts of a model come from: a folder, a GGUF file, the Hugging Face cache or Hub, or a lock."""

from __future__ import annotations

from pathlib import Path

import msgspec

from anvil_gen.catalog.architectures import Architectures
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.config_facts import config_facts
from anvil_gen.fit.gguf_facts import gguf_facts
from anvil_gen.fit.gguf_header import HeaderError, read_gguf
from anvil_gen.fit.hub_files import gguf_of
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.safetensors_header import read_safetensors, weight_files
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.inventory.toml_file import Document

_CONFIG = "config.json"
_NOT_A_MODEL = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of files that are JSON or GGUF, and hold something else than a model's do."""


def facts_of_path(path: Path, known: Architectures) -> ModelFacts:
    """Return the facts of a GGUF file, or of a folder in the form of the Hugging Face Hub or with one GGUF model.

    Raises:
        DiagnosticError: it is neither, or is damaged.
    """
    try:
        if path.is_dir():
            return _facts_of_folder(path, known)
        return gguf_facts(read_gguf(path), known)
    except (HeaderError, msgspec.DecodeError, KeyError) as error:
        raise _unreadable(path, f"{path.name}: {error}") from None
    except FileNotFoundError as error:
        raise _unreadable(path, f"there is no {error.filename}") from None
    except _NOT_A_MODEL:
        raise _unreadable(path, f"what {path.name} says of the model is none that a model has") from None


def _facts_of_folder(folder: Path, known: Architectures, commit: str | None = None) -> ModelFacts:
    config = folder / _CONFIG
    if config.is_file():
        tensors = read_safetensors(weight_files(folder))
        return config_facts(msgspec.json.decode(config.read_bytes()), tensors, known, commit=commit)
    models = [path for path in sorted(folder.glob("*.gguf")) if not path.name.startswith("mmproj")]
    first = [path for path in models if "-of-" not in path.name or "-00001-of-" in path.name]
    if len(first) != 1:
        found = f"{len(first)} GGUF models" if first else "neither a config.json nor a GGUF model"
        raise _unreadable(folder, f"it has {found}")
    return gguf_facts(read_gguf(first[0]), known)


def _unreadable(path: Path, detail: str) -> DiagnosticError:
    remedy = "name a folder with config.json and safetensors files, a GGUF file, or a repository as org/name"
    return DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=f"{path}: {detail}", remedy=remedy)])


def cached_facts(cache: Path, repo: str, revision: str | None, known: Architectures) -> ModelFacts | None:
    """Return the facts of a repository that is in a Hugging Face cache; ``org/name:TAG`` is the GGUF model of that tag.

    None where it is not there.
    """
    name, _, tag = repo.partition(":")
    snapshot = _cached_snapshot(cache, name, revision)
    if snapshot is None:
        return None
    files = gguf_of([path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*.gguf")], tag)
    if not files and (tag or not (snapshot / _CONFIG).is_file()):
        return None
    is_gguf = bool(files) and (bool(tag) or not any(snapshot.glob("*.safetensors")))
    try:
        return facts_of_path(snapshot / files[0] if is_gguf else snapshot, known)
    except DiagnosticError:  # a download that is not complete
        return None


def _cached_snapshot(cache: Path, repo: str, revision: str | None) -> Path | None:
    """Return the folder of a repository in a Hugging Face cache; None where it is not there."""
    folder = cache / "hub" / f"models--{repo.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision or ""
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and snapshot.is_dir() else None


def has_lock(inventory: Path) -> bool:
    """Tell whether a host has a lock."""
    return any(path.is_file() for path in _locks(inventory))


def _locks(inventory: Path) -> tuple[Path, Path]:
    """Return the locks of a host; the last has the last word."""
    folder = fleet_root(inventory) / "locks"
    return folder / "fleet.toml", folder / inventory.name


def locked_facts(inventory: Path) -> dict[str, ModelFacts]:
    """Return the facts that the locks of a host have, by model: ``org/name`` or ``org/name@revision``.

    Raises:
        DiagnosticError: a lock is no TOML, or its facts are none.
    """
    found: dict[str, ModelFacts] = {}
    for path in _locks(inventory):
        if path.is_file():
            found |= _facts_in(Document(path, below=fleet_root(inventory)))
    return found


def _facts_in(lock: Document) -> dict[str, ModelFacts]:
    found = {}
    for name, table in lock.data.get("models", {}).items():
        if isinstance(table, dict) and table.get("facts"):
            try:
                found[name] = msgspec.convert({"commit": table.get("commit"), **table["facts"]}, ModelFacts)
            except (TypeError, msgspec.ValidationError) as error:  # a table of none, or of other keys
                location = lock.location(("models", name, "facts"), key=True)
                remedy = "write it again: anvil-gen pin"
                raise DiagnosticError(
                    [Diagnostic(code="model-cannot-be-read", detail=str(error), remedy=remedy, location=location)]
                ) from None
    return found
