"""Where a tier's weights come from: a folder or file of the host, or the Hugging Face Hub through its shared cache."""

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import ModelKind
from anvil_gen.host_paths import is_absolute, is_below, join, last_part
from anvil_gen.inventory.schema_tier import ModelTable
from anvil_gen.resolve.context import AnyServer, ResolveContext, TierServer
from anvil_gen.resolve.model import Mount
from anvil_gen.values import KeyPath, Text

KINDS: tuple[ModelKind, ...] = ("path", "repo", "file")
_EXAMPLES = {"path": '"folder"', "file": '"model.gguf"', "repo": '"org/name"'}


class Source(Struct, frozen=True, kw_only=True):
    """Where the weights come from: the engine's argument, and the mount that brings them."""

    kind: ModelKind
    argument: Text
    revision: str | None
    mount: Mount | None


def tier_sources(context: ResolveContext, server: TierServer) -> dict[str, Source]:
    """Return where each of a tier's weights comes from: its model, and what goes with it."""
    options, found = server.options, {}
    for name in ("model", "draft_model"):
        if options.get(name) is not None:
            found[name] = _model_source(context, server, options.get(name), name)
        elif name == "model" and server.engine is not None and server.engine.model_needed:
            kinds = " or ".join(f"model = {{ {kind} = {_EXAMPLES[kind]} }}" for kind in server.engine.models)
            context.collector.missing_key(server.path, "model", f"write {kinds}")
    if options.mmproj is not None:
        found["mmproj"] = _local_source(context, server, options.mmproj, (*server.path, "mmproj"), "file")
    for name, path in sorted(options.lora.items()):
        found[f"lora.{name}"] = _local_source(context, server, path, (*server.path, "lora", name), "path")
    return {name: source for name, source in found.items() if source is not None}


def _model_source(context: ResolveContext, server: TierServer, model: ModelTable, name: str) -> Source | None:
    """Return where a model comes from; None, with a diagnostic, where that is not clear."""
    collector, path = context.collector, (*server.path, name)
    kinds: list[ModelKind] = [kind for kind in KINDS if getattr(model, kind) is not UNSET]
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
    revision = None if model.revision is UNSET else model.revision
    if kind == "repo":
        mount = hub_mount(context, server, (*path, "repo"))
        return Source(kind="repo", argument=str(model.repo), revision=revision, mount=mount)
    if revision is not None:
        detail = "only a repository of the Hugging Face Hub has revisions"
        collector.add("not-for-this-model", (*path, "revision"), detail, "remove it, or use repo")
    return _local_source(context, server, getattr(model, kind), (*path, kind), kind)


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
    context: ResolveContext, server: TierServer, written: str, path: KeyPath, kind: ModelKind
) -> Source | None:
    base = context.inventory.paths.models
    if is_absolute(written):
        source, inside = written, last_part(written)
    elif base is UNSET:
        detail = f'"{written}" is relative, and the inventory does not say to what'
        remedy = 'add a table [paths] with models = "/folder/of/models"'
        context.collector.missing_elsewhere(("paths", "models"), path, detail, remedy)
        return None
    elif not is_absolute(base):
        return None  # reported once, at paths.models
    else:
        source, inside = join(base, written), written.replace("\\", "/").strip("/")
    if not is_below(inside):
        context.collector.add(
            "not-a-place-below-the-model-folder", path, f'"{written}"', "name a folder or file below it"
        )
        return None
    target = f"{server.engine.model_dir if server.engine is not None else ''}/{inside}"
    return Source(kind=kind, argument=target, revision=None, mount=Mount(source=source, target=target, read_only=True))
