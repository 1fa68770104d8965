"""The locks of a fleet: the digests that image tags had, and the commits of models, when `anvil-gen pin` asked.

`locks/<host>.toml` has a host's own entries, `locks/fleet.toml` those that are equal on several hosts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.inventory.struct_errors import decode_valid
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import KeyPath, Text, address

LOCKS = "locks"
FLEET = "fleet"
FORMAT = 1

_BARE_KEY = lazy_pattern(r"[A-Za-z0-9_-]+")


class ImagePin(Struct, frozen=True, kw_only=True):
    """What an image's tag meant: a list of manifests where it has one, else the only manifest."""

    digest: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
    platforms: tuple[str, ...] = ()


class ModelPin(Struct, frozen=True, kw_only=True):
    """The commit that a branch or tag of a model's repository meant, and what is known of the model at it."""

    commit: Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$(?!\n)")]
    facts: Mapping[str, Any] = {}


class Lock(Struct, frozen=True, kw_only=True):
    """What an inventory's images and models are held to; an empty one holds nothing."""

    images: Mapping[str, ImagePin] = {}
    models: Mapping[str, ModelPin] = {}
    replaced: Mapping[str, str] = {}  # images to take instead of others, to see what that would change

    def image(self, image: Text) -> Text:
        """Return an image with the digest that it is held to; one with a variable in it is held to none."""
        if not isinstance(image, str):
            return image
        image = self.replaced.get(image, image)
        pin = self.images.get(image)
        return image if pin is None else f"{image}@{pin.digest}"

    def commit(self, repo: str, revision: str | None) -> str | None:
        """Return the commit that a model is held to; the revision that was asked for where it is held to none."""
        pin = self.models.get(model_key(repo, revision))
        return revision if pin is None else pin.commit

    @property
    def texts(self) -> list[str]:
        """What rendered files follow from."""
        images = [f"{name}@{pin.digest}" for name, pin in sorted(self.images.items())]
        return images + [f"{name}@{pin.commit}" for name, pin in sorted(self.models.items())]


class _LockFile(Struct, frozen=True, kw_only=True):
    lock: Annotated[int, Meta(ge=1)]
    images: Mapping[str, ImagePin] = {}
    models: Mapping[str, ModelPin] = {}


def model_key(repo: str, revision: str | None) -> str:
    """Return how a lock names a model: a revision that the inventory asks for is part of the name."""
    return repo if revision is None else f"{repo}@{revision}"


def lock_path(inventory: Path) -> Path:
    """Return where the lock of a host is."""
    return fleet_root(inventory) / LOCKS / f"{inventory.name.removesuffix('.toml')}.toml"


def fleet_lock_path(inventory: Path) -> Path:
    """Return where the entries are that several hosts share."""
    return fleet_root(inventory) / LOCKS / f"{FLEET}.toml"


def read_lock(inventory: Path) -> Lock:
    """Return what a host is held to: its own entries over the fleet's.

    Raises:
        DiagnosticError: a lock cannot be read, or is not one.
    """
    shared, own = read_lock_file(fleet_lock_path(inventory)), read_lock_file(lock_path(inventory))
    return Lock(images={**shared.images, **own.images}, models={**shared.models, **own.models})


def read_lock_file(path: Path) -> Lock:
    """Return the entries of one file; none where there is no file.

    Raises:
        DiagnosticError: it cannot be read, or is no lock.
    """
    if not os.path.lexists(path):
        return Lock()
    document = Document(path, below=path.parent.parent)
    version = document.data.get("lock")
    if type(version) is int and version > FORMAT:
        detail = f"it is written for lock = {version}, and this anvil-gen reads {FORMAT}"
        raise DiagnosticError([_diagnostic(document, ("lock",), detail, "install a newer anvil-gen")])
    data = {**document.data, "models": _with_facts(document.data.get("models", {}))}
    found, errors = decode_valid(data, _LockFile)
    if errors:
        remedy = "take the file as git has it, or remove it and run `anvil-gen pin`"
        raise DiagnosticError(_diagnostic(document, error.path, error.text, remedy) for error in errors)
    return Lock(images=found.images, models=found.models)


def _with_facts(models: Any) -> Any:
    """Return tables of models with all but the commit in a table of its own, which may hold anything."""
    if not isinstance(models, dict):
        return models
    return {
        name: {
            **{key: value for key, value in table.items() if key == "commit"},
            "facts": {key: value for key, value in table.items() if key != "commit"},
        }
        if isinstance(table, dict)
        else table
        for name, table in models.items()
    }


def _diagnostic(document: Document, path: KeyPath, detail: str, remedy: str) -> Diagnostic:
    return Diagnostic(
        code="not-a-lock",
        detail=detail,
        remedy=remedy,
        address=address(path),
        location=document.location(path),
    )


def lock_text(lock: Lock, header: tuple[str, ...], comments: Mapping[str, tuple[str, ...]] = {}) -> str:
    """Return a lock as TOML: sorted, one fact a line; ``comments`` are those of entries, by name."""
    lines = [*(f"# {line}" for line in header), f"lock = {FORMAT}"]
    for kind, entries in (("images", _image_facts(lock)), ("models", _model_facts(lock))):
        for name, facts in sorted(entries.items()):
            lines += ["", *(f"# {line}" for line in comments.get(name, ())), f"[{kind}.{_toml(name)}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in _keys(facts)]
    return "\n".join(lines) + "\n"


def _keys(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of an entry; a table of facts has a line for each."""
    for key, value in facts.items():
        if key == "facts" and isinstance(value, Mapping):
            yield from ((f"facts.{_key(str(name))}", item) for name, item in sorted(value.items()))
        else:
            yield _key(key), value


def _image_facts(lock: Lock) -> dict[str, dict[str, Any]]:
    return {name: {"digest": pin.digest, "platforms": pin.platforms} for name, pin in lock.images.items()}


def _model_facts(lock: Lock) -> dict[str, dict[str, Any]]:
    return {name: {"commit": pin.commit, **dict(sorted(pin.facts.items()))} for name, pin in lock.models.items()}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '"' + "".join(_escaped(value)) + '"' if isinstance(value, str) else str(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def _escaped(text: str) -> Iterator[str]:
    for char in text:
        if char in '"\\':
            yield f"\\{char}"
        else:
            yield char if char.isprintable() else f"\\U{ord(char):08x}"
