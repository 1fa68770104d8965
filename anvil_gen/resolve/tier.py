"""One tier: its service, the files that it mounts, and what a router must know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.digests import digest
from anvil_gen.inventory.fleet import root_above
from anvil_gen.resolve.compose_service import ServiceInputs, build_service
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.egress import check_sealed
from anvil_gen.resolve.impossible_paths import file_errors
from anvil_gen.resolve.model import FILE_LABEL, Mount, Tier, TreeFile
from anvil_gen.resolve.model_names import ModelNames
from anvil_gen.resolve.model_source import Source, presets_of, rank_of, tier_sources
from anvil_gen.resolve.options import TierOptions
from anvil_gen.resolve.own_key_forms import shell_error
from anvil_gen.resolve.ranks import tier_rank
from anvil_gen.resolve.relative_paths import Move, in_tree
from anvil_gen.resolve.server_gpus import share_of
from anvil_gen.text_files import read_text
from anvil_gen.values import (
    EnvRef,
    KeyPath,
    Text,
    VariableText,
    VariableValue,
    canonical_flag,
    compose_text,
    parts_of,
    text_of,
)


def build_tier(
    context: ResolveContext,
    name: str,
    server: TierServer,
    *,
    files: Mapping[str, TreeFile],
    names: ModelNames,
    further_names: tuple[str, ...],
    any_name: bool,
) -> Tier:
    """Return a tier with the files that it mounts and the names of what it serves; its errors go to the collector.

    The engine is given ``further_names`` too, and may be made to answer to any.
    """
    options = server.options
    sources = tier_sources(context, server)
    _check_places(context, server, sources, files)
    check_sealed(context, server, sources)
    given_names = (*names.given(server.engine), *further_names)
    inputs = _inputs(context, server, sources, files, given_names=given_names, any_name=any_name)
    model = sources.get("model")
    if model is not None:
        _check_own_name(context, server, names, model.argument)
    return Tier(
        name=name,
        replica_of=server.name if server.options.replica > 1 else "",
        engine=server.engine_name,
        task=options.task,
        served_name=str(names.served[0]),
        models=tuple(map(str, names.all)),
        names=(*map(str, names.served), *further_names, *names.adapters),
        port=int(options.port or 0),
        container_port=int(options.container_port or options.port or 0),
        context_length=options.context_length,
        root_file=f"tiers/{name}.yml",
        model=str(model.argument) if model else "",
        repos=model.repos if model else (),
        files=tuple(files.values()),
        gpus=server.gpus,
        gpu_request=server.gpu_request,
        share=inputs.share,
        service=build_service(context, server, inputs),
        options=options,
        rank=tier_rank(server.rank, server) if server.rank is not None else None,
        **_engine_facts(server.engine, options),
    )


def _check_own_name(context: ResolveContext, server: TierServer, names: ModelNames, model: Text) -> None:
    """Report a name that the engine is not told, and would not answer to: without a flag, the model's is its own."""
    engine = server.engine
    if engine is None or engine.served_names == "any" or names.several:
        return
    flag = engine.fields.get("served_name")
    removed = [name for name, value in server.options.flags.items() if value is False]
    if flag in [canonical_flag(name) for name in removed] and compose_text(names.served[0]) != compose_text(model):
        detail = f'{engine.title} answers to "{model}" where --{flag} is removed'
        remedy = f'write served_name = "{model}", or keep the flag'
        path = server.options.path_of("served_name") or server.path
        context.collector.add("conflicting-values", path, detail, remedy)


def _extra_arguments(context: ResolveContext, server: TierServer) -> Text | None:
    """Return the arguments that a variable says, if it is set; what is written out is a flag."""
    extra = server.options.extra_arguments
    if extra is None:
        return None
    path = server.options.path_of("extra_arguments") or server.path
    if not isinstance(extra, VariableValue):
        remedy = 'write it in flags; for arguments of a variable, { env = "EXTRA_ARGS" }'
        context.collector.add("invalid-form", path, "it is no variable", remedy)
    elif server.engine is not None and server.engine.own_command and not server.options.command:
        detail = "without a command, they would replace the image's own"
        context.collector.add("not-for-this-engine", path, detail, "write command too")
    problem = shell_error(str(extra)) if isinstance(extra, VariableValue) else ""
    if problem:
        context.collector.add("invalid-form", path, problem, "quote what is one argument")
    # Without a default there are none.
    parts = (
        replace(part, default=part.default or "") if isinstance(part, EnvRef) else part for part in parts_of(extra)
    )
    return VariableText(tuple(parts))


def _inputs(
    context: ResolveContext,
    server: TierServer,
    sources: Mapping[str, Source],
    files: Mapping[str, TreeFile],
    *,
    given_names: tuple[str, ...],
    any_name: bool,
) -> ServiceInputs:
    return ServiceInputs(
        service=server.options.service,
        container_name=server.options.container_name or None,
        served_names=given_names,
        any_name=any_name,
        rank=rank_of(context, server, sources),
        port=str(server.options.container_port or server.options.port),  # other files say it too: no variable
        published_port=text_of(server.options.port),
        device_ids=tuple(gpu.device_id for gpu in server.gpus),
        share=share_of(context, server),
        sources=sources,
        extra_arguments=_extra_arguments(context, server),
        folder="tiers",
        files=_file_mounts(files, in_tree(context, "tiers")),
        labels=tuple(file_labels(files)),
    )


def _file_mounts(files: Mapping[str, TreeFile], move: Move) -> tuple[Mount, ...]:
    return tuple(Mount(source=move(source_of(file)), target=target, read_only=True) for target, file in files.items())


def _engine_facts(engine: Engine | None, options: TierOptions) -> dict[str, Any]:
    """Return what a router or a template needs to know of a tier's engine."""
    if engine is None:
        return {}
    return {
        "tool_support": _has_tools(engine, options),
        "health_path": engine.health.path if engine.health else "",
        "api_base": engine.api_base,
        "hub_cache": engine.hub_cache,
    }


def _has_tools(engine: Engine, options: TierOptions) -> bool:
    flags = {canonical_flag(flag): value for flag, value in {**engine.flags, **options.flags}.items()}
    return bool(engine.tool_flags) and all(flags.get(flag, False) is not False for flag in engine.tool_flags)


def _check_places(
    context: ResolveContext, server: TierServer, sources: Mapping[str, Source], files: Mapping[str, TreeFile]
) -> None:
    """Report files at the place of the weights or a cache, or where the folder of one is."""
    caches = server.engine.caches if server.engine is not None else ()
    mounted = [source.mount.target for source in sources.values() if source.mount] + [one.target for one in caches]
    path = server.options.path_of("files") or (*server.path, "files")
    for target in server.options.files.keys() & files.keys():
        for _, detail, remedy in file_errors([target], mounted):
            context.collector.add("invalid-name", (*path, target), detail, remedy, key=True)


def tier_files(context: ResolveContext, server: TierServer, name: str) -> dict[str, TreeFile]:
    """Return the files that a tier mounts, its presets among them, as they are copied into the tree."""
    presets = presets_of(server)
    files = {**server.options.files, **({presets[0]: presets[1]} if presets is not None else {})}
    places = {presets[0]: (*server.path, "model", "presets")} if presets is not None else {}
    return copied_files(context, files, server.path, f"tiers/{name}", places)


def copied_files(
    context: ResolveContext, files: Mapping[str, str], table: KeyPath, name: str, places: Mapping[str, KeyPath] = {}
) -> dict[str, TreeFile]:
    """Return the files that a service mounts, by their place in the container, as they are copied into the tree.

    ``name`` is that of the service's own file in the tree, without its suffix; ``places`` are where files are
    written that are not in ``files`` of the ``table``.
    """
    found, errors = {}, {target: rest for target, *rest in file_errors(files, ())}
    for target, source in sorted(files.items()):
        here = places.get(target, (*table, "files", target))
        if target in errors:
            context.collector.add("invalid-name", here, *errors[target], key=True)
        else:
            text = _read(context, context.folder / source, here)
            if text is not None:
                found[target] = TreeFile(path=f"{name}.files{target}", text=text)
    return found


def source_of(file: TreeFile) -> str:
    """Return the source of a copied file's mount, relative to the compose file next to its folder."""
    return f"./{file.path.partition('/')[2]}"


def file_labels(files: Mapping[str, TreeFile]) -> Iterator[tuple[str, str]]:
    """Yield the labels with the digests of copied files: Compose does not look into what is mounted."""
    yield from ((f"{FILE_LABEL}{target.lstrip('/')}", digest(file.text)) for target, file in files.items())


def _read(context: ResolveContext, file: Path, path: KeyPath) -> str | None:
    try:
        return read_text(file, below=root_above(context.folder))
    except OSError as error:
        what = (error.strerror or str(error)).lower()
    except ValueError:
        what = "no file name may hold a NUL character"
    remedy = "a path is relative to the inventory's folder; only small text files of the fleet belong here"
    context.collector.add("cannot-read-the-file", path, f"{file.as_posix()}: {what}", remedy)
    return None
