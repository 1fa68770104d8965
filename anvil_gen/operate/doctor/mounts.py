"""Whether the files, folders and volumes that services mount are there."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import UNSET

from anvil_gen.diagnostics import did_you_mean
from anvil_gen.host_paths import is_of_windows, seen_from_here
from anvil_gen.operate.doctor.check import Check, Place, failed, with_commands, with_severity
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Bind, Requirements

_POINTER = b"version https://git-lfs"
_WEIGHTS = (".safetensors", ".gguf", ".bin")


def check_mounts(context: DoctorContext) -> Iterator[Check]:
    """Look at each file and folder that is mounted, once; an engine on another machine has none that we see."""
    if not context.docker_info.local:
        return
    seen = set()
    for required in context.storage_requirements:
        for bind in required.binds:
            if not bind.generated and bind.source not in seen:
                seen.add(bind.source)
                check = _mount(context, required, bind)
                yield check if required in context.requirements else with_severity(check, "warning")


def _mount(context: DoctorContext, required: Requirements, bind: Bind) -> Check:
    what, at = f"files of {required.name}", _place(context, required, bind)
    path = seen_from_here(bind.source, system=context.system, root=context.root)
    if path is None and is_of_windows(bind.source) and context.platform == "linux":
        detail = f"{bind.source} is a path of Windows, and this engine runs on Linux"
        remedy = f'write a path of this machine, or platform = "wsl2" where that is so, in {context.inventory}'
        return failed(what, "missing model folder", detail, remedy, at=at)
    if path is None:
        detail, remedy = f"{bind.source} cannot be looked at from here", "look there by hand"
        return failed(what, "files that cannot be seen", detail, remedy, at=at, severity="warning")
    try:
        found = _found(path)
        size = _size(found)
    except FileNotFoundError:
        if bind.made:
            return Check(what=what, found=f"{bind.source}: not there yet, Docker makes it")
        return _missing(context, required, bind, path)
    except PermissionError:
        detail = f"you may not read {bind.source}; the engine may, where it runs as root"
        remedy = with_commands("look as root", f"sudo ls -l {shlex.quote(str(path))}")
        return failed(what, "files that cannot be seen", detail, remedy, at=at, severity="warning")
    except OSError as error:
        detail = f"{bind.source}: {(error.strerror or str(error)).lower()}"
        remedy = with_commands("look at it", f"ls -ld {shlex.quote(str(path))}")
        return failed(what, "files that cannot be seen", detail, remedy, at=at)
    if bind.read_only and required.tier is not None and not found:
        detail = f"there is nothing in {bind.source}"
        return failed(what, "empty model folder", detail, _fetch(required, bind), at=at)
    pointers = [name for name, file in found.items() if name.endswith(_WEIGHTS) and _is_pointer(file)]
    if pointers:
        detail = f"{pointers[0]} in {bind.source} is a pointer of Git LFS, and not the weights"
        remedy = with_commands("fetch them", f"git -C {shlex.quote(str(path))} lfs pull")
        return failed(what, "weights that were not fetched", detail, remedy, at=at)
    return Check(what=what, found=f"{bind.source}: {size if required.tier is not None else 'there'}")


def _found(path: Path) -> dict[str, Path]:
    """Return the files in a folder by their names; a file's is its own."""
    if not path.is_dir():
        state = path.stat()
        return {path.name: path} if state.st_size or not stat.S_ISREG(state.st_mode) else {}
    return {entry.name: Path(entry.path) for entry in os.scandir(path)}


def _size(found: dict[str, Path]) -> str:
    size = sum(file.stat().st_size for file in found.values() if file.is_file())
    if not size:
        return "there"
    told = f"{size / (1 << 30):.1f} GiB" if size >= 1 << 27 else f"{size / (1 << 20):.1f} MiB"
    if size < 1 << 17:
        told = f"{size} bytes"
    return told if len(found) == 1 else f"{len(found)} files, {told}"


def _is_pointer(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def _missing(context: DoctorContext, required: Requirements, bind: Bind, path: Path) -> Check:
    what, at = f"files of {required.name}", _place(context, required, bind)
    parent = next(folder for folder in path.parents if os.path.isdir(folder))  # noqa: PTH112  it never raises
    if not bind.read_only:
        detail = f"there is no folder {bind.source}, which {required.name} writes to"
        as_root = "" if os.access(parent, os.W_OK) else "sudo "
        remedy = with_commands("make it", f"{as_root}mkdir -p {_quoted(path)}")
        return failed(what, "missing folder", detail, remedy, at=at)
    detail = f"there is no {bind.source}"
    if parent != path.parent:
        detail += f", nor its folder {path.parent}"
    near = did_you_mean(path.name, _names(parent)) if parent == path.parent else ""
    remedy = f"{near}\nelse {_fetch(required, bind)}" if near else _fetch(required, bind)
    kind = "model " if required.tier is not None else ""
    return failed(what, f"missing {kind}{'file' if path.suffix else 'folder'}", detail, remedy, at=at)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _fetch(required: Requirements, bind: Bind) -> str:
    """Return how files get to where they are mounted from."""
    if required.tier is None:
        return with_commands("put it there; what is there now", f"ls -l {_quoted(Path(bind.source).parent)}")
    source = Path(bind.source)
    model = required.tier.options["model"]
    is_file = model is not None and model.file is not UNSET
    command = f"hf download REPOSITORY {shlex.quote(source.name)} --local-dir {_quoted(source.parent)}"
    whole = f"hf download REPOSITORY --local-dir {_quoted(source)}"
    return with_commands("put the model there; from the hub", command if is_file else whole)


def _quoted(path: Path) -> str:
    return shlex.quote(path.as_posix())


def _place(context: DoctorContext, required: Requirements, bind: Bind) -> Place:
    engine = context.catalog.engine(required.engine)
    if engine is not None and engine.hub_cache == bind.target:
        return context.place("hfcache", "path")
    return context.place(*required.table, *(("model",) if engine is not None else ()))


def check_volumes(context: DoctorContext) -> Iterator[Check]:
    """Look for each external volume, on whatever machine the engine runs."""
    if not context.docker_info.answers:
        return
    names = dict.fromkeys(name for required in context.storage_requirements for name in required.volumes)
    there = set(context.docker.output("volume", "ls", "--quiet").split()) if names else set()
    for name in names:
        if name in there:
            yield Check(what=f"volume {name}", found="there")
            continue
        users = ", ".join(required.name for required in context.storage_requirements if name in required.volumes)
        remedy = with_commands("make it: nothing here removes it again", context.docker.typed("volume", "create", name))
        at = context.place("hfcache", "volume")
        detail = f"there is no volume {name}, which {users} mounts"
        check = failed(f"volume {name}", "missing external volume", detail, remedy, at=at)
        yield (
            check
            if any(name in required.volumes for required in context.requirements)
            else with_severity(check, "warning")
        )
