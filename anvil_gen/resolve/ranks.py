"""A tier as one rank of a group: the engine's data and the tier's options, as they are for this rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.multi_node import Executor, RankData
from anvil_gen.catalog.target import GroupWords
from anvil_gen.digests import digest
from anvil_gen.resolve.context import TierServer
from anvil_gen.resolve.gpu_model import GpuRequest
from anvil_gen.resolve.group_model import Rank, TierRank
from anvil_gen.resolve.image_kinds import added_needs
from anvil_gen.resolve.layers import Layer
from anvil_gen.resolve.model import EnvVar
from anvil_gen.resolve.options import ALL_ADDRESSES, TierOptions, is_one_address
from anvil_gen.values import (
    Text,
    VariableText,
    concat,
    fill,
    split_compose_text,
    with_reference,
)

_HOST_NETWORK = "host"


def link_layer(engine: Engine | None, rank: Rank) -> Layer:
    """Return the option that a rank has from its link: the head on the host's network listens there alone."""
    values = {"bind": rank.own.link.address} if rank.is_head and is_on_host(engine, rank) else {}
    return Layer(name=f"[links.{rank.link_name}]", values=values, path=("links", rank.link_name, "address"))


def is_on_host(engine: Engine | None, rank: Rank) -> bool:
    """Tell whether an engine's ranks are on the host's network."""
    return _needs(engine, rank).get("network_mode") == _HOST_NETWORK


def _needs(engine: Engine | None, rank: Rank) -> Mapping[str, Any]:
    """Return what a rank needs of its container; nothing where a target has a network of its own for them."""
    data = engine.multi_node if engine is not None and rank.words is None else None
    if data is None:
        return {}
    return added_needs(data.needs, data.needs_rdma) if rank.has_rdma else data.needs


def executor_of(engine: Engine, rank: Rank) -> Executor | None:
    """Return what holds the ranks together; None where the engine cannot, or knows no such way."""
    data = engine.multi_node
    if data is None:
        return None
    return data.executors.get(rank.executor or next(iter(data.executors)))


def rank_data(engine: Engine, rank: Rank) -> RankData | None:
    """Return what is peculiar to a rank; None where nothing is known of it."""
    executor = executor_of(engine, rank)
    return None if executor is None else executor.head if rank.is_head else executor.worker


def as_rank(server: TierServer) -> TierServer:
    """Return a model server, which has been checked as it is written, as it is on its rank; itself without a group."""
    rank, engine = server.rank, server.engine
    data = rank_data(engine, rank) if engine is not None and rank is not None else None
    if rank is None or engine is None or data is None or engine.multi_node is None:
        return server
    values = _values(engine, rank, server.options, server.gpu_request)
    return replace(
        server,
        options=_options(server.options, engine, rank, data),
        engine=_engine(engine, data, values),
        rules=server.rules if data.command is None else None,
        rank_needs=_needs(engine, rank),
        rank_environment=tuple(_environment(engine, rank, data, values)),
        rank_label=_label(rank, data),
    )


def _options(options: TierOptions, engine: Engine, rank: Rank, data: RankData) -> TierOptions:
    """Return the options of a rank: a worker answers nobody, and another program takes nothing of the tier's."""
    if rank.is_head:
        return options
    found = replace(options, bind=False, healthcheck=False)
    if data.listens:
        link_port = _link_port(engine, rank)
        found = replace(found, bind=rank.own.link.address, port=link_port, container_port=link_port)
    if data.command is not None:
        found = replace(found, flags={}, extra_arguments=None, command=None)
    return found if data.weights else replace(found, model=False, draft_model=None, mmproj=None, lora={})


def _link_port(engine: Engine, rank: Rank) -> int:
    executor = executor_of(engine, rank)
    return rank.link_port or (executor.link_port if executor is not None else 0)


def _engine(engine: Engine, data: RankData, values: Mapping[str, Text]) -> Engine:
    """Return an engine as it serves on one rank: with the flags of that, or as another program."""
    flags = {name: fill(value, values) if isinstance(value, str) else value for name, value in data.flags.items()}
    found = replace(
        engine,
        fields={field: left for field, names in engine.fields.items() if (left := _without(names, data.without))},
        flags={**{name: value for name, value in engine.flags.items() if name not in data.without}, **flags},
        caches=data.caches or engine.caches,
    )
    if data.entrypoint:
        words = tuple(_word(word, values) for word in data.entrypoint)
        found = replace(
            found, entrypoint=words, image_kinds=tuple(replace(kind, entrypoint=None) for kind in engine.image_kinds)
        )
    if data.command is None:
        return found
    words = tuple(_word(word, values) for word in data.command)
    return replace(
        found,
        command=words,
        fields={},
        flags={},
        field_flags={},
        tasks={task: {} for task in engine.tasks},
        quirks=tuple(replace(quirk, flags={}) for quirk in engine.quirks),
    )


def _word(pattern: str, values: Mapping[str, Text]) -> str:
    filled = fill(pattern, values)
    word: str = filled if isinstance(filled, str) else with_reference("", filled)
    return word


def _without(names: str | tuple[str, ...], without: tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(names, str):
        return "" if names in without else names
    return tuple(name for name in names if name not in without)


def _values(engine: Engine, rank: Rank, options: TierOptions, gpus: GpuRequest | None) -> dict[str, Text]:
    """Return what the data's placeholders stand for."""
    link, port = rank.own.link, str(_link_port(engine, rank))
    addresses = [_in_brackets(member.link.address) for member in rank.members]
    found: dict[str, Text] = {
        "rank": str(rank.number),
        "nodes": str(len(rank.members)),
        "head": addresses[0],
        "address": link.address,
        "interface": link.interface,
        "hcas": ",".join(link.hcas),
        "gid_index": "" if link.gid_index is None else str(link.gid_index),
        "workers": ",".join(f"{address}:{port}" for address in addresses[1:]),
        "bind": listening(options.bind),
        "gpus": str((gpus.number or 0) if gpus is not None else 0),
        "link_port": port,
    }
    return found if rank.words is None else {**found, **_words(rank.words, rank, options, port)}


def _words(words: GroupWords, rank: Rank, options: TierOptions, port: str) -> dict[str, Text]:
    """Return what placeholders stand for where a target says how ranks find each other."""
    found = {name: concat(VariableText(tuple(split_compose_text(value)))) for name, value in words.values.items()}
    workers = (
        fill(words.worker, {"service": str(options.service or ""), "rank": str(number)})
        for number in range(1, len(rank.members))
    )
    return {**found, "workers": ",".join(f"{worker}:{port}" for worker in workers)}


def listening(bind: str | bool) -> str:
    """Return the address at which the head listens on the host's network."""
    return "127.0.0.1" if not isinstance(bind, str) else "0.0.0.0" if bind == ALL_ADDRESSES else bind  # noqa: S104


def _in_brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _environment(engine: Engine, rank: Rank, data: RankData, values: Mapping[str, Text]) -> Iterator[EnvVar]:
    """Yield the variables of a rank, all of them whatever the image has."""
    multi_node, executor = engine.multi_node, executor_of(engine, rank)
    if multi_node is None or executor is None:
        return
    link = rank.own.link
    rdma = multi_node.environment_rdma if rank.has_rdma else {}
    unknown = "{gid_index}" if link.gid_index is None else "\0"
    found = {**multi_node.environment, **rdma, **executor.environment, **data.environment}
    for index, (name, value) in enumerate((name, value) for name, value in found.items() if unknown not in value):
        yield EnvVar(name=name, value=fill(value, values), reason="" if index else multi_node.reason)


def _label(rank: Rank, data: RankData) -> str:
    """Return what a rank carries of all others, so that what changes in one of them recreates it too.

    Its own service has the tier's flags already, but for those of the head alone, unless it is another program.
    """
    hosts = [f"{one.host} {gpus} {one.link}" for one, gpus in zip(rank.members, rank.gpus, strict=True)]
    table = [rank.table if data.command is not None else rank.head_only]
    return f"{rank.group} {digest(*hosts, rank.executor, str(rank.link_port), *table)}"


def tier_rank(rank: Rank, server: TierServer) -> TierRank:
    """Return what a tier tells of its group."""
    bind = server.options.bind
    address = str(bind) if is_one_address(bind) else rank.own.link.address
    return TierRank(
        group=rank.group,
        number=rank.number,
        hosts=tuple(member.host for member in rank.members),
        taken_ports=tuple(_taken_ports(rank, server)),
        address=_in_brackets(address) if is_on_host(server.engine, rank) else None,
    )


def _taken_ports(rank: Rank, server: TierServer) -> Iterator[tuple[int, str]]:
    """Yield where a rank listens on the host's network for no router: the head for the others, a worker as it does."""
    engine = server.engine
    data = rank_data(engine, rank) if engine is not None else None
    if engine is None or data is None or not is_on_host(engine, rank):
        return
    if rank.is_head:
        yield _link_port(engine, rank), "0.0.0.0"  # noqa: S104  where it listens, whatever address it is given
    elif data.command is None and not {"host", "port"} <= set(data.without) and server.options.port is not None:
        yield server.options.port, rank.own.link.address
