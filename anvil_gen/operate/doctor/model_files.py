"""What a server opens of a model's folder: its configuration, its weights, all parts of them."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import join_words
from anvil_gen.host_paths import local_path
from anvil_gen.operate.doctor.check import with_commands
from anvil_gen.operate.doctor.container_files import ContainerFiles
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import BindMount, Requirements
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import canonical_flag

_ADAPTER_CONFIG = "adapter_config.json"
_INDEX = "model.safetensors.index.json"
_PART = lazy_pattern(r"(?P<stem>.*-)(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.(?:gguf|safetensors|bin))")
_SNAPSHOT = lazy_pattern(r"(?P<cache>.*)/hub/models--(?P<org>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)/?")
_DEPTH = 2


class Fault(NamedTuple):
    """What is wrong with a model's files."""

    code: str
    detail: str
    remedy: str


def model_fault(context: DoctorContext, required: Requirements, bind: BindMount, path: Path) -> Fault | None:
    """Return what keeps a server from loading the model that is mounted from a path; None if nothing is found."""
    if not path.is_dir():
        return None
    files = dict(_files(path, _DEPTH))
    engine = context.catalog.engine(required.engine)
    found = _broken_link(context, required, bind, files) or _missing_part(bind, files)
    return found or (_config_fault(required, bind, path, engine) if engine is not None else None)


def _files(folder: Path, depth: int, inside: str = "") -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder and of those in it, by their paths inside; a broken link is one too."""
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if not Path(entry.path).is_dir():  # nor are links in a circle, of which scandir's own entries raise
            yield inside + entry.name, Path(entry.path)
        elif depth and not entry.name.startswith("."):
            yield from _files(Path(entry.path), depth - 1, f"{inside}{entry.name}/")


def _broken_link(
    context: DoctorContext, required: Requirements, bind: BindMount, files: Mapping[str, Path]
) -> Fault | None:
    """Return the fault of a link that leads to nothing in the container, whatever the host has there."""
    mounts = {one.target: local_path(one.source, system=context.system, root=context.root) for one in required.binds}
    seen = ContainerFiles({**dict.fromkeys(required.volumes_at), **mounts})
    broken = [name for name in files if not seen.has(posixpath.join(bind.target, name))]
    if not broken:
        return None
    first, count = broken[0], len(broken)
    whole = f"{first} in {bind.source}" + (f", as {count - 1} more," if count > 1 else "")
    target = files[first].readlink() if files[first].is_symlink() else "a folder outside"
    detail = f"{whole} is a link to {target}, which is not in the container: only {bind.source} is mounted"
    return Fault("link-out-of-the-mount", detail, _without_links(bind))


def _without_links(bind: BindMount) -> str:
    snapshot = _SNAPSHOT.fullmatch(bind.source)
    if snapshot is not None:
        repo, revision = f"{snapshot['org']}/{snapshot['name']}", snapshot["revision"]
        return (
            "it is a snapshot of the Hugging Face cache; let the cache be mounted, and name the model in it: "
            f'model = {{ repo = "{repo}", revision = "{revision}" }}, and path = "{snapshot["cache"]}" in [hfcache]'
        )
    source, copy = shlex.quote(bind.source), shlex.quote(f"{bind.source}.files")
    return with_commands("copy it with the files themselves, and name the copy", f"cp -rL {source} {copy}")


def _missing_part(bind: BindMount, files: Mapping[str, Path]) -> Fault | None:
    """Return the fault of weights in several files of which one is not there."""
    missing = [name for name in dict.fromkeys(_expected_parts(files)) if name not in files]
    if not missing:
        return None
    detail = f"{join_words(missing, limit=3)} of {bind.source} {'is' if len(missing) == 1 else 'are'} not there"
    command = f"hf download REPOSITORY --local-dir {shlex.quote(bind.source)}"
    return Fault("model-is-incomplete", detail, with_commands("the download has not ended; go on with it", command))


def _expected_parts(files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the files that weights consist of, by the index and by the number that is in their names."""
    for name, path in files.items():
        folder = posixpath.dirname(name)
        if posixpath.basename(name) == _INDEX:
            listed = (_json(path) or {}).get("weight_map") or {}
            yield from (posixpath.join(folder, str(one)) for one in listed.values())
        part = _PART.fullmatch(name)
        if part is not None:
            for number in range(1, int(part["count"]) + 1):
                yield f"{part['stem']}{number:05}-of-{part['count']}{part['suffix']}"


def _config_fault(required: Requirements, bind: BindMount, path: Path, engine: Engine) -> Fault | None:
    """Return the fault of a folder by whose files no engine can tell what the model is."""
    tier = required.tier
    if tier is None or not engine.model_config:
        return None
    if {canonical_flag(name) for name in tier.options.flags} & {*map(canonical_flag, engine.model_config_flags)}:
        return None
    wanted = engine.model_config if bind.target == tier.model else (*engine.model_config, _ADAPTER_CONFIG)
    there = [name for name in wanted if (path / name).is_file()]
    if not there:
        detail = f"{bind.source} has no {' or '.join(engine.model_config)}, by which {engine.title} knows the model"
        return Fault("model-config-is-missing", detail, _meant(bind, path, engine))
    name = there[0]
    if _json(path / name) is None:
        detail = f"{name} in {bind.source} is no JSON object: perhaps its download was interrupted"
        command = f"hf download REPOSITORY {name} --local-dir {shlex.quote(bind.source)}"
        remedy = with_commands("fetch it again", command)
        return Fault("model-config-is-missing", detail, remedy)
    return None


def _meant(bind: BindMount, path: Path, engine: Engine) -> str:
    """Return what may have been meant: a folder in it, or a GGUF file."""
    for name in engine.model_config:
        below = sorted(found.parent.name for found in path.glob(f"*/{name}"))
        if below:
            return f'name the folder of the model itself: "{posixpath.basename(bind.source)}/{below[0]}"'
    ggufs = sorted(found.name for found in path.glob("*.gguf"))
    if ggufs:
        return f'{ggufs[0]} is a GGUF file: take an engine that loads model = {{ file = "…" }}, or the original model'
    command = f"hf download REPOSITORY --local-dir {shlex.quote(bind.source)}"
    return with_commands("put the whole model there; to download it from the Hugging Face Hub", command)


def _json(path: Path) -> Mapping[str, Any] | None:
    """Return the object in a JSON file; None if it is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
