"""Where a tier's weights come from: a folder or file of the host, or the Hugging Face Hub through its shared cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine, ModelKind
from anvil_gen.host_paths import is_absolute, is_below, join, last_part
from anvil_gen.inventory.schema_model import AdapterTable, ModelTable, WeightsTable
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.context import AnyServer, ResolveContext, TierServer
from anvil_gen.resolve.model import Mount
from anvil_gen.values import KeyPath, Text, VariableValue, as_text, concat, with_reference

KINDS: tuple[ModelKind, ...] = ("path", "repo", "file", "repos", "folder", "presets")
_SEVERAL: tuple[ModelKind, ...] = ("repos", "folder", "presets")
_EXAMPLES: Mapping[str, str] = {"path": '"folder"', "file": '"model.gguf"', "repo": '"org/name"'}
REVISION_OPTIONS = {"model": "revision", "draft_model": "draft_model.revision"}
"""Field of a tier -> the option that is its revision."""
_PART = lazy_pattern(r"(?P<stem>.*-)(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.DOTALL)
"""The name of one of the files of a GGUF model that is split; the engine finds the others by their names."""


class Source(Struct, frozen=True, kw_only=True):
    """Where the weights come from: the engine's argument, and the mounts that bring them."""

    kind: ModelKind
    argument: Text  # empty for a cache that holds no model yet
    revision: str | None
    mount: Mount | None
    parts: tuple[Mount, ...] = ()  # the further files of a model that is split
    repos: tuple[str, ...] = ()  # several models of one server
    rank: int | None = None  # of an adapter

    @property
    def from_hub(self) -> bool:
        """Whether it is in the shared cache."""
        return self.kind in ("repo", "repos")

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """All that brings it."""
        return (*((self.mount,) if self.mount is not None else ()), *self.parts)


def kinds_of(model: WeightsTable | bool | None) -> list[ModelKind]:
    """Return the kinds of source that a model's table names."""
    return [kind for kind in KINDS if getattr(model, kind, UNSET) is not UNSET]


def serves_several(model: ModelTable | bool | None) -> bool:
    """Return whether one server has several models, each asked for by its own name."""
    return not set(_SEVERAL).isdisjoint(kinds_of(model))


def presets_of(server: TierServer) -> tuple[str, str] | None:
    """Return where a tier's presets are mounted, and the file that they come from; None without presets."""
    model, engine = server.options.model, server.engine
    if not isinstance(model, ModelTable) or model.presets is UNSET or engine is None or "presets" not in engine.models:
        return None
    alone = model.folder is UNSET and model.mount is not UNSET
    return (str(model.mount) if alone else engine.presets_file), str(model.presets)


def tier_sources(context: ResolveContext, server: TierServer) -> dict[str, Source]:
    """Return where each of a tier's weights comes from: its model, and what goes with it."""
    options = server.options
    found: dict[str, Source | None] = {}
    if isinstance(options.model, ModelTable):
        found.update(_model_sources(context, server, options.model))
    else:
        found.update(_without_model(context, server))
    if options.draft_model is not None:
        found["draft_model"] = _model_source(context, server, options.draft_model, (*server.path, "draft_model"))
    if options.mmproj is not None:
        found["mmproj"] = _local_source(context, server, options.mmproj, (*server.path, "mmproj"), kind="file")
    for name, adapter in sorted(options.lora.items()):
        found[f"lora.{name}"] = _adapter_source(context, server, adapter, (*server.path, "lora", name))
    sources = {name: source for name, source in found.items() if source is not None}
    _check_places(context, server, sources)
    return sources


def _without_model(context: ResolveContext, server: TierServer) -> Iterator[tuple[str, Source | None]]:
    """Yield what a tier without a model mounts; report that it needs one, where nothing else says which it serves."""
    engine, options, cache = server.engine, server.options, context.inventory.hfcache
    if engine is None:
        return
    by_environment = not set(engine.model_env).isdisjoint({*options.variables, *options.pass_})
    if options.model is None and engine.model_needed and not by_environment:
        kinds = " or ".join(f"model = {{ {kind} = {_EXAMPLES[kind]} }}" for kind in engine.models if kind in _EXAMPLES)
        remedy = f"write {kinds}; or model = false where the image, the environment or flags say it"
        context.collector.missing_key(server.path, "model", remedy)
    if engine.hub_always and (cache.volume is not UNSET or cache.path is not UNSET):
        mount = hub_mount(context, server, server.path)
        yield "cache", Source(kind="repo", argument="", revision=None, mount=mount)


def _model_sources(
    context: ResolveContext, server: TierServer, model: ModelTable
) -> Iterator[tuple[str, Source | None]]:
    """Yield the source of a tier's model; a folder beside presets is one of its own."""
    path = (*server.path, "model")
    if kinds_of(model) == ["folder", "presets"]:
        yield "model", _model_source(context, server, replace(model, folder=UNSET, mount=UNSET), path)
        yield "model.folder", _model_source(context, server, replace(model, presets=UNSET), path)
    else:
        yield "model", _model_source(context, server, model, path)


def _model_source(context: ResolveContext, server: TierServer, model: WeightsTable, path: KeyPath) -> Source | None:
    """Return where a model comes from; None, with a diagnostic, where that is not clear."""
    collector, kinds = context.collector, kinds_of(model)
    if not kinds and collector.is_dropped(path):
        return None
    if len(kinds) != 1:
        detail = f"it has {' and '.join(kinds)}" if kinds else "it has none of them"
        collector.add("one-model-source", path, detail, "keep one of them" if kinds else 'write path = "folder"')
        return None
    kind = kinds[0]
    if server.engine is not None and kind not in server.engine.models:
        detail = f'{server.engine.title} loads no model by "{kind}"'
        collector.add("not-for-this-engine", (*path, kind), detail, f"use {' or '.join(server.engine.models)}")
        return None
    _check_keys(context, model, kind, path)
    if kind in ("repo", "repos"):
        return _hub_source(context, server, model, (*path, kind))
    if kind == "presets":
        place = presets_of(server)
        return Source(kind=kind, argument=place[0] if place else "", revision=None, mount=None)
    return _local_source(context, server, getattr(model, kind), (*path, kind), kind=kind, place=model.mount)


def _check_keys(context: ResolveContext, model: WeightsTable, kind: ModelKind, path: KeyPath) -> None:
    """Report keys of a model's table that mean nothing for its kind."""
    if model.revision is not UNSET and kind != "repo":
        detail = "only a repository of the Hugging Face Hub has revisions"
        context.collector.add("not-for-this-model", (*path, "revision"), detail, "remove it, or use repo")
    if model.mount is not UNSET and kind in ("repo", "repos"):
        detail = "what comes from the Hugging Face Hub is in its cache"
        context.collector.add("not-for-this-model", (*path, "mount"), detail, "remove it, or use path")


def _hub_source(context: ResolveContext, server: TierServer, model: WeightsTable, path: KeyPath) -> Source:
    mount = hub_mount(context, server, path) if model.cache is not False else None
    if isinstance(model, ModelTable) and not isinstance(model.repos, UnsetType):
        repos = tuple(dict.fromkeys(model.repos))
        return Source(kind="repos", argument=repos[0], revision=None, mount=mount, repos=repos)
    revision = None if model.revision is UNSET else model.revision
    repo = as_text(model.repo)
    revision = _held_revision(context, server, str(path[-2]), repo, revision)
    return Source(kind="repo", argument=repo, revision=revision, mount=mount)


def _held_revision(
    context: ResolveContext, server: AnyServer, field: str, repo: str, written: str | None
) -> str | None:
    """Return the commit that the lock holds a model to, where the engine can be told one."""
    option = REVISION_OPTIONS[field]
    if server.engine is None or option not in server.engine.fields or isinstance(written, VariableValue):
        return written
    return context.lock.commit(repo, written)


def _adapter_source(
    context: ResolveContext, server: TierServer, adapter: str | AdapterTable, path: KeyPath
) -> Source | None:
    if isinstance(adapter, str):
        return _local_source(context, server, adapter, path, kind="path")
    if (adapter.path is UNSET) == (adapter.repo is UNSET):
        if not context.collector.is_dropped(path):
            detail = "it has both" if adapter.repo is not UNSET else "it has none of them"
            context.collector.add("one-model-source", path, detail, "write either path or repo")
        return None
    rank = None if adapter.rank is UNSET else adapter.rank
    if adapter.path is not UNSET:
        source = _local_source(context, server, adapter.path, (*path, "path"), kind="path")
        return replace(source, rank=rank) if source is not None else None
    engine = server.engine
    if engine is not None and "repo" not in engine.lora_kinds:
        detail = f'{engine.title} loads no adapter by "repo"'
        context.collector.add("not-for-this-engine", (*path, "repo"), detail, "download it, and write path")
        return None
    mount = hub_mount(context, server, (*path, "repo"))
    return Source(kind="repo", argument=str(adapter.repo), revision=None, mount=mount, rank=rank)


def rank_of(context: ResolveContext, server: TierServer, sources: Mapping[str, Source]) -> int | None:
    """Return the rank that an engine must be ready for: the highest of the adapters, as the engine takes it."""
    ranks = {name: source.rank for name, source in sources.items() if source.rank is not None}
    if not ranks or server.engine is None:
        return None
    highest = max(ranks.values())
    allowed = server.engine.lora_ranks or (highest,)
    if highest > allowed[-1]:
        name = next(name for name, rank in ranks.items() if rank == highest).removeprefix("lora.")
        detail = f"{server.engine.title} takes adapters up to rank {allowed[-1]}"
        path = (*server.path, "lora", name, "rank")
        context.collector.add("number-out-of-range", path, detail, "take an adapter of a lower rank")
    return next((rank for rank in allowed if rank >= highest), highest)


def hub_mount(context: ResolveContext, server: AnyServer, path: KeyPath) -> Mount | None:
    """Return the mount of the shared Hugging Face cache, with a diagnostic where the inventory has none."""
    cache, engine = context.inventory.hfcache, server.engine
    target = engine.hub_cache if engine is not None else ""
    if cache.volume is not UNSET:
        if engine is not None and cache.volume in [own.volume for own in engine.caches]:
            detail = f'"{cache.volume}" is the volume of what {engine.title} compiles'
            context.collector.add("volume-taken-twice", ("hfcache", "volume"), detail, "name another volume")
        return Mount(source=cache.volume, target=target, volume=True, external=True)
    if cache.path is not UNSET:
        return Mount(source=cache.path, target=target)
    detail = "weights from the Hugging Face Hub need a cache that outlives the container"
    context.collector.missing_elsewhere(
        ("hfcache", "volume"), path, detail, 'add a table [hfcache] with volume = "hfcache"'
    )
    return None


def _local_source(
    context: ResolveContext,
    server: TierServer,
    written: str,
    path: KeyPath,
    *,
    kind: ModelKind,
    place: str | UnsetType = UNSET,
) -> Source | None:
    """Return the source of a folder or file of the host, mounted at ``place`` or below the engine's model folder."""
    base = context.inventory.paths.models
    if _is_rooted(written):
        source, inside = written, last_part(written)
    elif base is UNSET:
        detail = f'"{written}" is relative, and the inventory does not say to what'
        remedy = 'add a table [paths] with models = "/folder/of/models"'
        context.collector.missing_elsewhere(("paths", "models"), path, detail, remedy)
        return None
    else:
        source, inside = _joined(base, written), written.replace("\\", "/").strip("/")
    if not is_below(inside) and not (kind == "folder" and _is_rooted(written)):
        context.collector.add(
            "not-a-place-below-the-model-folder", path, f'"{written}"', "name a folder or file below it"
        )
        return None
    target = _check_place(context, place, path) or _below(server.engine, inside, kind=kind)
    mount = Mount(source=source, target=target, read_only=True)
    parts = tuple(_further_parts(context, mount, path)) if kind == "file" else ()
    return Source(kind=kind, argument=target, revision=None, mount=mount, parts=parts)


def _is_rooted(written: str) -> bool:
    """Tell whether a path is not below the folder of models: absolute, or in the home of who runs Compose."""
    return is_absolute(written) or written.startswith("~/")


def _below(engine: Engine | None, inside: str, *, kind: ModelKind) -> str:
    """Return where something of the host is in the container: a folder of models is the engine's folder itself."""
    folder = engine.model_dir if engine is not None else ""
    return folder if kind == "folder" else f"{folder}/{inside}"


def _check_place(context: ResolveContext, place: str | UnsetType, path: KeyPath) -> str:
    """Return the place in the container that is written, with a diagnostic where it is none; empty without one."""
    if isinstance(place, UnsetType):
        return ""
    if not is_below(place.lstrip("/")) or place.endswith("/"):
        context.collector.add("invalid-name", (*path[:-1], "mount"), "it is no plain path", "write it out")
    return place


def _further_parts(context: ResolveContext, first: Mount, path: KeyPath) -> Iterator[Mount]:
    """Yield the mounts of the further files of a split model, of which ``first`` is named."""
    source, target = _PART.fullmatch(first.source), _PART.fullmatch(first.target)
    if source is None:
        return
    number, count = int(source["number"]), int(source["count"])
    if isinstance(first.source, VariableValue):
        detail = "the other parts of a split model are mounted by their names"
        remedy = "write the name of the first itself"
        context.collector.add("variable-where-a-value-is-needed", path, detail, remedy)
    elif number != 1:
        remedy = f'write "{last_part(first.source).replace(source["number"] + "-of", "00001-of")}"'
        context.collector.add("not-for-this-model", path, f"it is part {number} of {count}", remedy)
    elif target is None or target["count"] != source["count"] or int(target["number"]) != 1:
        detail = "the engine finds the other parts of a split model by the name of the first"
        remedy = f'let it end in "-00001-of-{source["count"]}.gguf"'
        context.collector.add("not-for-this-model", (*path[:-1], "mount"), detail, remedy)
    else:
        for part in range(2, count + 1):
            name = f"{part:05}-of-{source['count']}.gguf"
            yield Mount(source=source["stem"] + name, target=target["stem"] + name, read_only=True)


def _check_places(context: ResolveContext, server: TierServer, sources: Mapping[str, Source]) -> None:
    """Report weights that would hide others at the same place in the container."""
    seen: dict[str, str] = {}
    for name, source in sources.items():
        for mount in source.mounts:
            if seen.setdefault(mount.target, mount.source) != mount.source:
                detail = f'{mount.target} in the container is the place of "{seen[mount.target]}" too'
                remedy = 'give one of them another place, with "mount"'
                path = (*server.path, *name.split(".", 1))
                context.collector.add("conflicting-values", path, detail, remedy)


def _joined(base: str, inside: str) -> str:
    """Return a path below a folder; either may be a variable, whose default says how paths are written."""
    joined = join(base, inside)
    if not isinstance(base, VariableValue) and not isinstance(inside, VariableValue):
        return joined
    start = join(base, "")  # with the separator
    folder = base if isinstance(base, VariableValue) else start[:-1]
    name = inside if isinstance(inside, VariableValue) else joined.removeprefix(start)
    source: str = with_reference(joined, concat(folder, start[-1:], name))
    return source
