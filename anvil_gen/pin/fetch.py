"""Weights before a start: from the Hugging Face Hub to where tiers look for them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path
from anvil_gen.fit.hub_files import gguf_of, read_files
from anvil_gen.host_paths import is_absolute, join, last_part
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.machine.hub_cache import hub_cache_of, no_place, path_here, repo_blobs
from anvil_gen.pin.hub import Hub, HubFile
from anvil_gen.pin.no_answer import NotAnsweredError
from anvil_gen.pin.pins import place_error
from anvil_gen.pin.stream import PART
from anvil_gen.pin.wanted import Wanted, wanted
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tier

_AT_ONCE = 4


class Download(Struct, frozen=True, kw_only=True):
    """Files of a repository for a tier. ``cache`` is in the Hub's own layout; without, ``folder`` has them by name."""

    wanted: Wanted
    commit: str
    revision: str | None  # that a cache is asked for
    files: tuple[HubFile, ...]
    folder: Path
    cache: Path | None

    @property
    def size(self) -> int:
        """All bytes of it."""
        return sum(file.size for file in self.files)

    def place(self, file: HubFile) -> Path:
        """Return where a file goes."""
        return self.folder / (file.blob if self.cache is not None else file.name)

    @property
    def there(self) -> int:
        """The bytes that are there already."""
        return sum(min(_size(self.place(file)) or _size(_part(self.place(file))), file.size) for file in self.files)


class Unfetched(Struct, frozen=True, kw_only=True):
    """What of a tier is not fetched, and why."""

    tier: str
    why: str
    command: str = ""  # that brings it otherwise


def plan_downloads(
    host: Host, names: Sequence[str], hub: Hub, *, source: str | None = None
) -> tuple[list[Download], list[Unfetched]]:
    """Return what the tiers of some names read of the Hub; of all for none.

    ``source`` is the repository that the only tier's folder or file in the folder of models comes from.

    Raises:
        DiagnosticError: the Hub does not say what there is, or a place cannot be written.
    """
    unheld = Host(host.path, host.catalog, lock=Lock())
    found = [one for one in wanted(unheld)[0] if one.kind == "models" and (not names or one.owner in names)]
    tiers = {tier.name: tier for tier in host.stack.tiers if not tier.replica_of and (not names or tier.name in names)}
    downloads: list[Download] = []
    unfetched: list[Unfetched] = []
    errors: list[Diagnostic] = []
    pairs = [(one, tiers[one.owner]) for one in found if one.owner in tiers]
    pairs += [(_from(source, tier), tier) for tier in tiers.values() if source is not None]
    for one, tier in pairs:
        try:
            made = _download(host, one, tier, hub, source=source if one.name == source else None)
        except NotAnsweredError as error:
            errors.append(place_error(host, one, error))
            continue
        if isinstance(made, Download):
            downloads.append(made)
        else:
            unfetched.append(made)
    if errors:
        raise DiagnosticError(errors)
    local = set(tiers) - {one.owner for one, _ in pairs}
    unfetched += [_unfetched(host, tier) for name, tier in tiers.items() if name in local]
    return downloads, unfetched


def _unfetched(host: Host, tier: Tier) -> Unfetched:
    """Return why nothing of a tier is fetched, with the command of an engine that pulls its models itself."""
    engine, model = host.catalog.engine(tier.engine), tier.options.model
    if engine is None or not engine.pull or not isinstance(model, ModelTable) or model.repo is UNSET:
        return Unfetched(tier=tier.name, why="it has nothing of the Hub")
    pull = engine.pull.format(model=quote(str(model.repo)))
    return Unfetched(
        tier=tier.name,
        why=f"{engine.title} pulls its models itself; once it runs, in {display_path(host.output)}:",
        command=f"docker compose exec {quote(tier.service.name)} {pull}",
    )


def _from(source: str | None, tier: Tier) -> Wanted:
    """Return a repository that the inventory does not name."""
    return Wanted(
        kind="models", name=str(source), path=("tiers", tier.name, "model"), repo=str(source).partition(":")[0]
    )


def _download(host: Host, one: Wanted, tier: Tier, hub: Hub, *, source: str | None) -> Download | Unfetched:
    engine = host.catalog.engine(tier.engine)
    if engine is None or (source is None and not engine.hub_folder):
        return _unfetched(host, tier)
    revision = host.lock.commit(one.repo, one.revision)
    answer = hub.files(one.repo, revision)
    written = source or str(host.collector.value_at(one.path) or one.repo)
    chosen = _chosen(one, tier, engine, [file.name for file in answer.files], written)
    files = tuple(file for file in answer.files if file.name in chosen)
    if not files:
        detail = f"{one.repo} has no file that {engine.title} reads"
        raise NotAnsweredError("model-is-not-on-the-hub", detail, "look at its files; a GGUF model needs its tag")
    if source is not None:
        folder = _models_place(host, tier)
        return Download(wanted=one, commit=answer.commit, revision=revision, files=files, folder=folder, cache=None)
    cache = hub_cache_of(host, engine, tier)
    folder = repo_blobs(cache, one.repo)
    return Download(wanted=one, commit=answer.commit, revision=revision, files=files, folder=folder, cache=cache)


def _chosen(one: Wanted, tier: Tier, engine: Engine, names: Sequence[str], written: str) -> set[str]:
    """Return the files that are read of a repository, which is ``written`` with its tag."""
    model = tier.options.model
    if one.name == written and isinstance(model, ModelTable) and model.file is not UNSET:
        parts = gguf_of(names, last_part(str(model.file)).removesuffix(".gguf"))
        return {name for name in names if last_part(name) == last_part(str(model.file))} or set(parts)
    given = {**tier.options.flags, "mmproj": tier.options.mmproj}
    return set(read_files(engine, names, written.partition(":")[2], given))


def _models_place(host: Host, tier: Tier) -> Path:
    """Return the folder that a tier's own files go into.

    Raises:
        DiagnosticError: it has none, or it is not on this machine.
    """
    model = tier.options.model
    table = model if isinstance(model, ModelTable) else ModelTable()
    named = next((str(one) for one in (table.path, table.file) if one is not UNSET), None)
    if named is None or (host.models is None and not is_absolute(named)):
        raise DiagnosticError([no_place(f'"{tier.name}" names no folder or file in the folder of models')])
    place = path_here(host, named if is_absolute(named) else join(str(host.models), named))
    return place if table.path is not UNSET else place.parent


def check_disks(downloads: Sequence[Download]) -> None:
    """Refuse downloads for which a disk has no room.

    Raises:
        DiagnosticError: with each of these disks.
    """
    by_disk: dict[int, list[Download]] = {}
    for download in downloads:
        by_disk.setdefault(_existing(download.folder).stat().st_dev, []).append(download)
    diagnostics = []
    for members in by_disk.values():
        place = _existing(members[0].folder)
        needed, free = sum(one.size - one.there for one in members), shutil.disk_usage(place).free
        if needed > free:
            detail = f"{_gib(free)} free at {display_path(place)}, and {_gib(needed)} are still to come"
            diagnostics.append(
                Diagnostic(code="low-disk-space", detail=detail, remedy="free disk space, or fetch less")
            )
    if diagnostics:
        raise DiagnosticError(diagnostics)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _gib(amount: int) -> str:
    return f"{amount / (1 << 30):.1f} GiB"


def fetch(host: Host, download: Download, hub: Hub, progress: Callable[[int], None]) -> None:
    """Bring the files of a repository; ``progress`` is told of each number of bytes that come, in any thread.

    Raises:
        DiagnosticError: the Hub does not give them, or the disk does not take them.
    """
    lock = threading.Lock()

    def count(number: int) -> None:
        with lock:
            progress(number)

    def bring(file: HubFile) -> None:
        hub.stream(download.wanted.repo, download.commit, file, download.place(file), count)

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # The largest first: the last one should not be left alone.
            list(pool.map(bring, sorted(download.files, key=lambda file: -file.size)))
    except NotAnsweredError as error:
        raise DiagnosticError([place_error(host, download.wanted, error)]) from None
    if download.cache is not None:
        _link(download)


def _link(download: Download) -> None:
    """Name the files of a cache as its readers do: by commit, with a reference for a branch or tag."""
    repo = download.folder.parent
    for file in download.files:
        name = repo / "snapshots" / download.commit / file.name
        if name.is_symlink() or name.exists():
            continue
        name.parent.mkdir(parents=True, exist_ok=True)
        blob = download.place(file)
        try:
            name.symlink_to(os.path.relpath(blob, name.parent))
        except OSError:  # a disk without links, where readers expect the file itself
            shutil.copyfile(blob, name)
    if download.revision != download.commit:
        reference = repo / "refs" / (download.revision or "main")
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(download.commit, "utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)
