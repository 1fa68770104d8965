"""The check that what a target's files say is what Compose says: each container, read back from them, word by word."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.target_model import TargetView
from anvil_gen.render.unit_reader import plain, read_unit, split_words
from anvil_gen.render.workloads import Container
from anvil_gen.render.yaml_loader import load_yaml


class Said(Struct, frozen=True, kw_only=True):
    """What a file says of a container; the command as one line of words."""

    image: str
    words: tuple[str, ...]
    environment: Mapping[str, str | None]  # None: kept elsewhere
    mounts: frozenset[str]  # places in the container, with `:ro` where they are read alone


def said_of(one: Container) -> Said:
    """Return what the files of any target must say of a container."""
    return Said(
        image=one.image,
        words=one.words,
        environment={variable.name: variable.value for variable in one.environment},
        mounts=frozenset(f"{mount.target}{':ro' if mount.read_only else ''}" for mount in one.mounts),
    )


def read_documents(text: str, path: str) -> list[Any]:
    """Return the documents of a text.

    Raises:
        InternalError: it is not YAML.
    """
    return [load_yaml(part, path) for part in text.split("\n---\n")]


def read_manifest(text: str, path: str) -> Iterator[tuple[str, Said]]:
    """Yield the containers of a file of manifests."""
    for document in read_documents(text, path):
        for path_of_pod in _PODS.get(document["kind"], ()) if document is not None else ():
            for one in reduce(getitem, path_of_pod, document["spec"])["spec"]["containers"]:
                yield one["name"], _manifest_container(one)


_PODS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("template",),),
    "LeaderWorkerSet": tuple(("leaderWorkerTemplate", f"{one}Template") for one in ("leader", "worker")),
}
"""Kind of an object -> where its spec has pods."""


def _manifest_container(one: Mapping[str, Any]) -> Said:
    return Said(
        image=one["image"],
        words=tuple(_unexpanded(word) for key in ("command", "args") for word in one.get(key, ())),
        environment={
            entry["name"]: _unexpanded(entry["value"]) if "value" in entry else None
            for entry in one.get("env", ())
            if "fieldRef" not in entry.get("valueFrom", ())  # what a pod knows of itself
        },
        mounts=frozenset(
            f"{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}" for mount in one.get("volumeMounts", ())
        ),
    )


_EXPANDED = lazy_pattern(r"\$\$|\$\(([A-Z_]+)\)")


def _unexpanded(text: str) -> str:
    return _EXPANDED.sub(lambda found: f"\0{found[1]}\0" if found[1] else "$", text)


def read_container_unit(text: str, path: str) -> Iterator[tuple[str, Said]]:
    """Yield the container of a unit of Podman; nothing of any other file."""
    name, dot, kind = path.rpartition(".")
    if f"{dot}{kind}" != ".container" or "/" in name:
        return
    keys: dict[str, list[str]] = {}
    for section, key, value in read_unit(text):
        if section == "Container":
            keys.setdefault(key, []).append(value)
    words = [plain(word) for value in keys.get("Exec", ()) for word in split_words(value)]
    program = [word for value in keys.get("Entrypoint", ()) for word in json.loads(plain(value))]
    pairs = [plain(word).partition("=") for value in keys.get("Environment", ()) for word in split_words(value)]
    mounts = [plain(value).rpartition(":ro") for value in keys.get("Volume", ())]
    secrets = {value.partition(",")[0]: None for value in keys.get("Secret", ())}
    (image,) = keys["Image"]
    yield (
        name,
        Said(
            image=image,
            words=(*program, *words),
            environment={**{name: value for name, _, value in pairs}, **secrets},
            mounts=frozenset(f"{(head or tail).rpartition(':')[2]}{ro}" for head, ro, tail in mounts),
        ),
    )


_READERS: Mapping[str, Callable[[str, str], Iterator[tuple[str, Said]]]] = {
    "manifest": read_manifest,
    "unit": read_container_unit,
}
"""Syntax of a target -> what reads its files back."""


def verify_target(syntax: str, view: TargetView, files: Mapping[str, str]) -> None:
    """Check what the files of a target say of each container against what Compose says.

    Raises:
        InternalError: they say something else, or cannot be read.
    """
    try:
        found = dict(said for path, text in files.items() for said in _READERS[syntax](text, path))
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise InternalError(f"the files of the target cannot be read back: {error!r}") from None
    for one in (container for workload in view.workloads for container in workload.containers):
        want, got = said_of(one), found.get(one.unit)
        if got is None:
            raise InternalError(f"no file of the target has the container {one.unit}")
        for name in Said.__struct_fields__:
            mine, other = getattr(want, name), getattr(got, name)
            if mine != other and not (name == "mounts" and mine <= other):
                raise InternalError(f"{name} of {one.unit} is {other!r} in the target, and {mine!r} in Compose")
