"""The folders of templates: which files belong where, and those of a user that nothing reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, Location, did_you_mean, display_path, join_words
from anvil_gen.text_files import HIDDEN, is_hidden, is_inside, read_bytes

KINDS = {"engines": "engine.toml", "gpus": "gpu.toml", "routers": "router.toml", "targets": "target.toml"}
"""Folder of templates -> the data file of each of its folders."""

LOG_FILE = "log.toml"
"""What is known of a program's log: next to an engine's or router's data file, and above all for any program's."""

MEMORY_FILE = "memory.toml"
"""How an engine divides a GPU's memory: next to its data file."""

ARCHITECTURES_FILE = "architectures.toml"
"""How the layers of model architectures cache."""

MODELS = "models"
"""The folder of what is known of families of models; nothing is rendered of it."""

DOCKER_FILE = "docker.toml"
"""What `docker info` says of a host, and what follows from it."""

FLAGS_FILE = "flags.json"
"""The flags of an engine through its versions, next to its data file; nothing is rendered of them."""

SCHEMA_SUFFIX = ".schema.json"
"""What the JSON Schema of a data file ends with, which editors read, and nothing here."""

ONBOARD = "onboard"
"""The folder of the shipped templates that copier generates for a new fleet; no host is rendered from it."""

CLIENTS = "clients"
"""The folder of the templates for clients: one a kind, KIND.SUFFIX.j2, whose suffix says how values are quoted."""

MONITORING = "monitoring"
"""The folder of what `[monitoring]` renders: the common metrics, the services and their files."""


def unused_files(own: Path, shipped: Path) -> Iterator[Diagnostic]:
    """Yield the files and folders of a user's templates that nothing reads."""
    known = (*KINDS, "compose", CLIENTS, MODELS, MONITORING)
    for entry in sorted(own.iterdir()):
        if (
            entry.name.startswith(".")
            or entry.name.endswith((".md", SCHEMA_SUFFIX))
            or entry.name in (ARCHITECTURES_FILE, DOCKER_FILE)
        ):
            continue
        if entry.name not in known or not entry.is_dir():
            remedy = did_you_mean(entry.name, known) or f"templates/ holds the folders {join_words(known)}"
            yield _nothing_reads(entry, remedy)
            continue
        for file in sorted(path for path in entry.rglob("*") if path.is_file()):
            inside = file.relative_to(entry).as_posix()
            if not file.name.startswith(".") and file.suffix != ".md" and not _is_read(entry, inside, shipped):
                yield _nothing_reads(file, _what_is_read(entry.name, shipped))


def _is_read(kind: Path, inside: str, shipped: Path) -> bool:
    if kind.name in ("compose", MONITORING):
        return inside.endswith(".j2") and (shipped / kind.name / inside).is_file()
    if kind.name == CLIENTS:
        return inside.endswith(".j2") and "/" not in inside
    if kind.name == MODELS:
        return inside.endswith(".toml") and "/" not in inside
    name, _, rest = inside.partition("/")
    data = KINDS[kind.name]
    has_data = any((root / kind.name / name / data).is_file() for root in (kind.parent, shipped))
    is_log = rest == LOG_FILE and kind.name != "gpus"
    is_engines = kind.name == "engines" and rest in (MEMORY_FILE, FLAGS_FILE)
    return has_data and (rest == data or is_log or is_engines or (rest.endswith(".j2") and "/." not in f"/{rest}"))


def _what_is_read(kind: str, shipped: Path) -> str:
    if kind in ("compose", MONITORING):
        return f"known here: {join_words(path.name for path in (shipped / kind).iterdir())}"
    if kind == CLIENTS:
        return f"known here: {CLIENTS}/KIND.SUFFIX.j2, with a suffix like sh, py, json or yaml"
    if kind == MODELS:
        return f"known here: {MODELS}/NAME.toml"
    log = f", {LOG_FILE}" if kind != "gpus" else ""
    log += f", {MEMORY_FILE}" if kind == "engines" else ""
    return f"known here: {kind}/NAME/{KINDS[kind]}{log}, and templates next to it, which end in .j2"


def _nothing_reads(path: Path, remedy: str) -> Diagnostic:
    return Diagnostic(
        code="template-that-nothing-reads",
        detail="no file or folder of that name has a meaning here",
        remedy=remedy,
        location=Location(file=display_path(path)),
    )


def unreadable_files(own: Path) -> Iterator[Diagnostic]:
    """Yield what of a user's templates is no file to be read: it leads out of the fleet, has no end, or is no text."""
    seen: set[str] = set()
    for folder, folders, files in os.walk(own, followlinks=True):
        seen.add(os.path.realpath(folder))
        places = [Path(folder, name) for name in sorted((*folders, *files)) if not name.startswith(".")]
        # A link to a folder is followed once, so that none leads in circles.
        folders[:] = [name for name in folders if os.path.realpath(Path(folder, name)) not in seen]
        for place in places:
            why = _unreadable(place, own.parent)
            if why:
                folders[:] = [name for name in folders if name != place.name]
                location = Location(file=display_path(place))
                remedy = "put a text file there"
                yield Diagnostic(code="cannot-read-the-file", detail=why, remedy=remedy, location=location)


def _unreadable(place: Path, root: Path) -> str:
    """Return why a file or folder must not be read; an empty string where it may."""
    try:
        if not is_inside(place, root):
            return "it leads out of the fleet"
        if is_hidden(place, root):
            return HIDDEN
        return "it has a NUL character in it" if not place.is_dir() and b"\0" in read_bytes(place) else ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def texts(root: Path) -> Iterator[str]:
    """Yield the path and the text of each file that trees are rendered from, in one order everywhere."""
    start = len(os.path.join(root, ""))  # noqa: PTH118
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (name not in (ONBOARD, CLIENTS, MODELS) or folder != str(root))
        )
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118  as fast as it gets
            if name.startswith(".") or name == FLAGS_FILE:
                continue
            yield path[start:]
            with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
                yield file.read()
