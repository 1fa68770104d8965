"""Checks that the files, folders and volumes that services mount exist."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from anvil_gen.diagnostics import did_you_mean
from anvil_gen.host_paths import is_windows_path, local_path
from anvil_gen.operate.doctor.check import Check, Place, failed, with_commands, with_severity
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.model_files import model_fault
from anvil_gen.operate.doctor.requirements import BindMount, Requirements
from anvil_gen.resolve.model_source import kinds_of
from anvil_gen.values import KeyPath

_POINTER = b"version https://git-lfs"
_WEIGHTS = (".safetensors", ".gguf", ".bin")


def check_mounts(context: DoctorContext) -> Iterator[Check]:
    """Check each mounted file and folder once; those of a remote Docker are not seen from here."""
    if not context.docker_info.local:
        return
    seen = set()
    for required in context.storage_requirements:
        for bind in required.binds:
            if not bind.generated and bind.source not in seen:
                seen.add(bind.source)
                check = _mount(context, required, bind)
                yield check if required in context.requirements else with_severity(check, "warning")


def _mount(context: DoctorContext, required: Requirements, bind: BindMount) -> Check:
    what, at = f"files of {required.name}", _place(context, required, bind)
    is_model = _is_model(context, required, bind)
    path = local_path(bind.source, system=context.system, root=context.root)
    if path is None and is_windows_path(bind.source) and context.platform == "linux":
        detail = f"{bind.source} is a Windows path, but Docker runs on Linux"
        remedy = f'use a Linux path, or set platform = "wsl2" if Docker runs in WSL2, in {context.inventory}'
        return failed(what, "missing-model-folder", detail, remedy, at=at)
    if path is None:
        detail, remedy = f"{bind.source} cannot be checked from here", "check it manually"
        return failed(what, "files-cannot-be-checked", detail, remedy, at=at, severity="warning")
    try:
        found = _found(path)
        size = _size(found)
    except FileNotFoundError:
        if bind.created:
            return Check(what=what, found=f"{bind.source}: does not exist yet, Docker creates it")
        return _missing(context, required, bind, path)
    except PermissionError:
        detail = f"no permission to read {bind.source}; the container may have it, if it runs as root"
        remedy = with_commands("check as root", f"sudo ls -l {shlex.quote(str(path))}")
        return failed(what, "files-cannot-be-checked", detail, remedy, at=at, severity="warning")
    except OSError as error:
        detail = f"{bind.source}: {(error.strerror or str(error)).lower()}"
        remedy = with_commands("check it", f"ls -ld {shlex.quote(str(path))}")
        return failed(what, "files-cannot-be-checked", detail, remedy, at=at)
    if bind.read_only and is_model and not found:
        detail = f"{bind.source} is empty"
        return failed(what, "empty-model-folder", detail, _fetch(required, bind), at=at)
    pointers = [name for name, file in found.items() if name.endswith(_WEIGHTS) and _is_pointer(file)]
    if pointers:
        detail = f"{pointers[0]} in {bind.source} is a Git LFS pointer, not the weights"
        remedy = with_commands("fetch them", f"git -C {shlex.quote(str(path))} lfs pull")
        return failed(what, "weights-were-not-fetched", detail, remedy, at=at)
    fault = model_fault(context, required, bind, path) if bind.read_only and is_model else None
    if fault is not None:
        return failed(what, fault.code, fault.detail, fault.remedy, at=at)
    return Check(what=what, found=f"{bind.source}: {size if is_model else 'exists'}")


def _found(path: Path) -> dict[str, Path]:
    """Return the files in a folder by name; for a file, the file itself."""
    if not path.is_dir():
        state = path.stat()
        return {path.name: path} if state.st_size or not stat.S_ISREG(state.st_mode) else {}
    return {entry.name: Path(entry.path) for entry in os.scandir(path)}


def _size(found: dict[str, Path]) -> str:
    size = sum(file.stat().st_size for file in found.values() if file.is_file())
    if not size:
        return "exists"
    text = f"{size / (1 << 30):.1f} GiB" if size >= 1 << 27 else f"{size / (1 << 20):.1f} MiB"
    if size < 1 << 17:
        text = f"{size} bytes"
    return text if len(found) == 1 else f"{len(found)} files, {text}"


def _is_pointer(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def _missing(context: DoctorContext, required: Requirements, bind: BindMount, path: Path) -> Check:
    what, at = f"files of {required.name}", _place(context, required, bind)
    parent = next(folder for folder in path.parents if os.path.isdir(folder))  # noqa: PTH112  never raises
    if not bind.read_only:
        detail = f"the folder {bind.source}, which {required.name} writes to, does not exist"
        as_root = "" if os.access(parent, os.W_OK) else "sudo "
        remedy = with_commands("create it", f"{as_root}mkdir -p {_quoted(path)}")
        return failed(what, "missing-folder", detail, remedy, at=at)
    detail = f"{bind.source} does not exist"
    if parent != path.parent:
        detail += f", nor does its folder {path.parent}"
    near = did_you_mean(path.name, _names(parent)) if parent == path.parent else ""
    is_model = _is_model(context, required, bind)
    fetch = _fetch(required, bind) if is_model else _put(bind)
    remedy = f"{near}\notherwise {fetch}" if near else fetch
    kind = "model-" if is_model else ""
    return failed(what, f"missing-{kind}{'file' if path.suffix else 'folder'}", detail, remedy, at=at)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _fetch(required: Requirements, bind: BindMount) -> str:
    """Return how to get a model to where it is mounted from."""
    source = Path(bind.source)
    is_file = required.tier is not None and "file" in kinds_of(required.tier.options.model)
    command = f"hf download REPOSITORY {shlex.quote(source.name)} --local-dir {_quoted(source.parent)}"
    whole = f"hf download REPOSITORY --local-dir {_quoted(source)}"
    return with_commands("put the model there; to download it from the Hugging Face Hub", command if is_file else whole)


def _put(bind: BindMount) -> str:
    """Return how to get other files to where they are mounted from."""
    return with_commands("put it there; to see what is there now", f"ls -l {_quoted(Path(bind.source).parent)}")


def _quoted(path: Path) -> str:
    return shlex.quote(path.as_posix())


def _place(context: DoctorContext, required: Requirements, bind: BindMount) -> Place:
    engine = context.catalog.engine(required.engine)
    own = _own_mount(context, required, bind)
    if own is not None:
        return context.place(*own)
    if engine is not None and engine.hub_cache == bind.target:
        return context.place("hfcache", "path")
    return context.place(*required.table, *(("model",) if engine is not None else ()))


def _is_model(context: DoctorContext, required: Requirements, bind: BindMount) -> bool:
    return required.tier is not None and _own_mount(context, required, bind) is None


def _own_mount(context: DoctorContext, required: Requirements, bind: BindMount) -> KeyPath | None:
    """Return where `mounts` has a mount; None for one that it has not."""
    tables = (required.table, *((("defaults",),) if required.table[0] == "tiers" else ()))
    places = ((*table, "mounts", bind.target) for table in tables)
    value_at = context.deployment.host.collector.value_at
    return next((place for place in places if value_at(place) is not None), None)


def check_volumes(context: DoctorContext) -> Iterator[Check]:
    """Check for each external volume, on the machine that Docker runs on."""
    if not context.docker_info.is_available:
        return
    names = dict.fromkeys(name for required in context.storage_requirements for name in required.volumes)
    existing = set(context.docker.output("volume", "ls", "--quiet").split()) if names else set()
    for name in names:
        if name in existing:
            yield Check(what=f"volume {name}", found="exists")
            continue
        users = ", ".join(required.name for required in context.storage_requirements if name in required.volumes)
        remedy = with_commands(
            "create it; anvil-gen never removes it", context.docker.shell_command("volume", "create", name)
        )
        at = _volume_place(context, name)
        detail = f"the volume {name}, which {users} mounts, does not exist"
        check = failed(f"volume {name}", "missing-external-volume", detail, remedy, at=at)
        yield (
            check
            if any(name in required.volumes for required in context.requirements)
            else with_severity(check, "warning")
        )


def _volume_place(context: DoctorContext, name: str) -> Place:
    """Return where the inventory has an external volume: in [volumes], or as the cache."""
    volumes = context.deployment.host.inventory.volumes.items()
    own = (key for key, keys in volumes if keys.get("external") and keys.get("name", key) == name)
    key = next(own, None)
    return context.place("hfcache", "volume") if key is None else context.place("volumes", key)
