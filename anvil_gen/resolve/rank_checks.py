"""What a group cannot have, and in what its hosts cannot agree: checked where the tier of one rank is resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.catalog.multi_node import MultiNode
from anvil_gen.catalog.release import image_version, plain_image
from anvil_gen.diagnostics import join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.gpus import resolve_gpus
from anvil_gen.resolve.group_model import Member, Rank
from anvil_gen.resolve.ranks import executor_of, is_on_host, listening
from anvil_gen.resolve.server_gpus import find_gpus, image_of
from anvil_gen.text.flags import split_flag
from anvil_gen.values import KeyPath, canonical_flag


def check_rank(context: ResolveContext, server: TierServer) -> None:
    """Report what a group cannot have, and in what its hosts cannot agree."""
    rank, data_engine = server.rank, server.engine
    if rank is None or data_engine is None:
        return
    multi_node = data_engine.multi_node
    if multi_node is None:
        able = [name for name in context.catalog.names("engines") if _can(context, name)]
        detail = f"{data_engine.title} serves no model over several hosts"
        path = server.options.path_of("engine") or server.path
        context.collector.add("not-for-this-engine", path, detail, f"take one that does: {join_words(able)}")
        return
    if executor_of(data_engine, rank) is None:
        detail = f'{data_engine.title} has no "{rank.executor}" (known: {join_words(multi_node.executors)})'
        context.collector.add("not-one-of-the-choices", (*rank.path, "executor"), detail, "name one, or leave it out")
        return
    _check_image(context, server, multi_node, data_engine)
    _check_members(context, server, rank, data_engine)
    _check_options(context, server, rank)
    _check_written(context, server, multi_node, data_engine)


def _can(context: ResolveContext, name: str) -> bool:
    engine = context.catalog.engine(name)
    return engine is not None and engine.multi_node is not None


def _check_image(context: ResolveContext, server: TierServer, multi_node: MultiNode, engine: Engine) -> None:
    image = plain_image(server.image).partition("@")[0]
    path = server.options.path_of("image") or server.path
    if any(re.fullmatch(pattern, image) for pattern in multi_node.refuse_images):
        context.collector.add("not-for-groups", path, f"{image} is built without it", multi_node.refuse_help)
    version = server.rules.release.version if server.rules is not None else ""
    if version and multi_node.since and version_key(version) < version_key(multi_node.since):
        detail = (
            f"{engine.title} {version} serves no model over several hosts: {multi_node.since} is the first that does"
        )
        context.collector.add("not-for-groups", path, detail, f"take {multi_node.since} or a newer one")
    if "@" not in plain_image(server.image) and not image_version(engine, image):
        detail = f"{image} has no digest: a tag that moves means another image to the host that pulls later"
        remedy = "pin it for all hosts:\n\n    anvil-gen pin --all"
        context.collector.add("image-may-differ-between-hosts", path, detail, remedy, severity="warning")


def _check_members(context: ResolveContext, server: TierServer, rank: Rank, engine: Engine) -> None:
    """Report ranks that would get another image, commit or kind of GPU than this one."""
    place: KeyPath = server.options.path_of("image") or server.path
    own, _ = _facts(context, server, rank.own, rank.gpus[rank.number], engine)
    for index, (member, gpus) in enumerate(zip(rank.members, rank.gpus, strict=True)):
        other, scratch = _facts(context, server, member, gpus, engine)
        broken = next((one for one in scratch.diagnostics if one.severity == "error"), None)
        if broken is not None:
            if member is not rank.own:
                detail = f"{member.host} has an error: {broken.summary}: {broken.detail}"
                remedy = f"see all of them:\n\n    anvil-gen render {member.host}"
                context.collector.add("host-cannot-be-used", (*rank.path, "hosts", index), detail, remedy)
            continue
        if rank.is_head and other[_KIND] != own[_KIND]:
            detail = f"{own[_KIND]} on {rank.own.host}, and {other[_KIND]} on {member.host}: each has an equal part"
            context.collector.add("unlike-gpus", place, detail, "take GPUs of one kind", severity="warning")
        for what, remedy in _REMEDIES.items():
            if other[what] != own[what]:
                detail = f"{what}: {rank.own.host} has {own[what] or 'none'}, and {member.host} {other[what] or 'none'}"
                context.collector.add("hosts-of-a-group-differ", place, detail, remedy)


_KIND = "kind of GPU"
_REMEDIES = {
    "image": "write image in the group, and pin it for all hosts alike: `anvil-gen pin --all`",
    "commit of the model": "pin it for all hosts alike: `anvil-gen pin --all`",
    "number of GPUs": "name the same number for each host",
    "vendor of the GPUs": "take GPUs of one vendor",
    "processor": "take hosts of one architecture",
    "platform": "take hosts of one platform: an engine is told other things on another one",
    "target": "write the same target in [host] of all of them",
}


def _facts(
    context: ResolveContext, server: TierServer, member: Member, gpus: Any, engine: Engine
) -> tuple[dict[str, str], Collector]:
    """Return what must be the same on every host, as it is on one, and the errors that the host has in it."""
    scratch = Collector(Document(context.folder / f"{member.host}.toml", text=""))
    their = replace(
        context,
        inventory=member.inventory,
        collector=scratch,
        architecture=member.options.architecture,
        lock=member.lock,
        gpus=resolve_gpus(member.inventory, context.catalog, scratch, member.options),
    )
    options = replace(server.options, gpus=list(gpus) if isinstance(gpus, tuple) else gpus or ())
    request = find_gpus(their, options, engine, server.path)
    executor = executor_of(engine, server.rank) if server.rank is not None else None
    model = options.model if options.model else None
    repo, revision = getattr(model, "repo", None), getattr(model, "revision", None)
    held = member.lock.commit(repo, revision if isinstance(revision, str) else None) if isinstance(repo, str) else None
    facts = {
        "image": str(image_of(their, options, engine, request, server.path)),
        "commit of the model": str(held or ""),
        "number of GPUs": str(0 if request is None else request.number),
        "vendor of the GPUs": request.vendor if request is not None else "",
        "processor": member.options.architecture,
        "platform": member.options.platform if executor is None or executor.worker.weights else "",
        "target": member.options.target,
        _KIND: join_words(
            {f"{gpu.memory_mib} MiB of {gpu.compute_capability}" for gpu in request.gpus} if request else ()
        ),
    }
    return facts, scratch


_REFUSED = {
    "replicas": "a group is one server",
    "build": "each host would build an image of its own",
    "networks": "its ranks are on the host's network",
}


def _check_options(context: ResolveContext, server: TierServer, rank: Rank) -> None:
    """Report fields that a group cannot have, and a host that lets no tier out."""
    for name, why in _REFUSED.items():
        path = server.options.path_of(name)
        if path is not None:
            context.collector.add("not-for-groups", path, why, "remove it", key=True)
    if context.sealed:
        detail = f"the group {rank.group} speaks to other hosts"
        context.collector.add("not-with-egress-denied", ("host", "egress"), detail, 'write egress = "allow"')
    bind = listening(server.options.bind)
    if (
        rank.is_head
        and is_on_host(server.engine, rank)
        and bind.startswith("127.")
        and context.inventory.router is not UNSET
    ):
        path = server.options.path_of("bind") or server.path
        detail = f"the router reaches the head at {rank.own.link.address}"
        context.collector.add("not-for-groups", path, detail, "remove it, and it listens there alone")


def _check_written(context: ResolveContext, server: TierServer, multi_node: MultiNode, engine: Engine) -> None:
    """Report what of the tier says what the group says for each rank, and would say it for all hosts alike."""
    written = context.collector.value_at(server.path) or {}
    override, extra = _table(written, "override"), written.get("extra_arguments")
    flags, names = _own_flags(multi_node, engine), _own_variables(multi_node)
    given: list[tuple[KeyPath, str]] = [(("flags", name), name) for name in _table(written, "flags")]
    words = extra.split() if isinstance(extra, str) else []
    given += [(("extra_arguments",), split_flag(word)[0].lstrip("-")) for word in words]
    for place, name in given:
        if canonical_flag(name) in flags:
            _refuse(context, (*server.path, *place), f'"--{name}" is written by the group, for each rank its own')
    for table, here in ((written, server.path), (override, (*server.path, "override"))):
        for name in _table(table, "environment"):
            if name in names:
                detail, remedy = f"{name} is that of each host's own link", "write it in [links] of the hosts"
                _refuse(context, (*here, "environment", name), detail, remedy)
    for key in ("command", "entrypoint"):
        if key in override:
            _refuse(context, (*server.path, "override", key), "it would be one and the same on every rank")


def _own_flags(multi_node: MultiNode, engine: Engine) -> set[str]:
    """Return the flags that a group writes for each rank."""
    found = {"nnodes", "node-rank"}
    for executor in multi_node.executors.values():
        for data in (executor.head, executor.worker):
            found |= {name for name, value in data.flags.items() if isinstance(value, str) or name in engine.headless}
    return set(map(canonical_flag, found))


def _own_variables(multi_node: MultiNode) -> set[str]:
    """Return the variables that each host has from its own link."""
    executors = multi_node.executors.values()
    own = {name for executor in executors for name in executor.environment}
    return {*multi_node.environment, *multi_node.environment_rdma, *own}


def _table(written: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = written.get(key)
    return found if isinstance(found, Mapping) else {}


def _refuse(context: ResolveContext, path: KeyPath, detail: str, remedy: str = "remove it") -> None:
    context.collector.add("not-for-groups", path, detail, remedy, key=True)
