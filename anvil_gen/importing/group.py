"""The group of an imported rank: its command line and variables read backwards, and those of ranks that are there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.multi_node import Executor, MultiNode
from anvil_gen.importing.inventory_text import inventory_text
from anvil_gen.values import canonical_flag

LINK = "link"
"""What the link is called: a source has no name for it."""
_MOST_HOSTS = 64
_OWN = ("bind", "gpus", "ipc", "port")
"""Fields that a group computes, that each host has its own of, or that the head alone has."""


class ImportedRank(Struct, frozen=True, kw_only=True):
    """A tier of an inventory that is one rank of several, and what it says of the others and of its link."""

    host: str
    tier: str
    number: int
    nodes: int
    said: Mapping[str, str]  # by placeholder: `nodes`, `head`, `link_port`, `address`, `interface` …
    executor: str  # empty for the usual one
    table: Mapping[str, Any]  # the tier, without what a group writes
    gpus: Any
    port: int | None

    @property
    def rendezvous(self) -> tuple[str, ...]:
        """What ranks of one group have in common."""
        return (self.said["head"], self.said.get("link_port", ""), str(self.nodes))

    @property
    def link(self) -> dict[str, Any]:
        """Its end of the link, as far as it is known."""
        own = self.said.get("address") or (self.said["head"] if self.number == 0 else "ADDRESS")
        table = {"address": own, "interface": self.said.get("interface", "INTERFACE")}
        hcas, gid_index = self.said.get("hcas"), _number(self.said.get("gid_index"))
        rdma = {"hcas": hcas.split(",")} if hcas else {}
        return {**table, **rdma, **({"gid_index": gid_index} if gid_index is not None and rdma else {})}


def ranks_in(catalog: Catalog, host: str, data: Mapping[str, Any]) -> Iterator[ImportedRank]:
    """Yield the tiers of an inventory that are ranks."""
    for name, tier in data.get("tiers", {}).items():
        engine = catalog.engine(str(tier.get("engine"))) if isinstance(tier, Mapping) else None
        if engine is not None and engine.multi_node is not None:
            found = (_rank(host, name, tier, engine.multi_node, title) for title in engine.multi_node.executors)
            yield from [rank for rank in found if rank is not None][:1]


def _rank(host: str, name: str, tier: Mapping[str, Any], data: MultiNode, title: str) -> ImportedRank | None:
    executor = data.executors[title]
    variables = {**data.environment, **data.environment_rdma, **executor.environment}
    said = _said(executor, variables, tier)
    number, nodes = _number(said.get("rank")), _number(said.get("nodes"))
    if number is None or nodes is None or "head" not in said or not max(number, 1) < nodes <= _MOST_HOSTS:
        return None
    return ImportedRank(
        host=host,
        tier=name,
        number=number,
        nodes=nodes,
        said=said,
        executor="" if title == next(iter(data.executors)) else title,
        table=_without_rank(tier, data, executor, variables),
        gpus=tier.get("gpus", []),
        port=tier.get("port"),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def group_texts(catalog: Catalog, path: Path, text: str) -> Iterator[str]:
    """Yield the file of each group of which an imported inventory has a rank, with what belongs to its hosts.

    The other ranks are looked for among the inventories next to it.
    """
    others = [rank for host, data in _beside(path) for rank in ranks_in(catalog, host, data)]
    for own in ranks_in(catalog, path.stem, tomllib.loads(text)):
        same = [other for other in others if other.rendezvous == own.rendezvous and other.number != own.number]
        yield _text({rank.number: rank for rank in (*same, own)})


def _beside(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in sorted(path.parent.glob("*.toml")):
        try:
            data = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError):  # whoever renders it is told
            continue
        if file != path and isinstance(data.get("tiers", {}), dict):
            yield file.stem, data


def _said(executor: Executor, variables: Mapping[str, str], tier: Mapping[str, Any]) -> dict[str, str]:
    """Return what the flags and variables of a rank say in the places of the placeholders."""
    flags = {canonical_flag(name): value for name, value in _table(tier, "flags").items()}
    environment = _table(tier, "environment")
    pairs = [
        (form, flags.get(canonical_flag(name)))
        for name, form in {**executor.worker.flags, **executor.head.flags}.items()
    ]
    pairs += [(form, environment.get(name)) for name, form in variables.items()]
    found = dict[str, str]()
    for form, value in pairs:
        if isinstance(form, str) and isinstance(value, str | int) and not isinstance(value, bool):
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(form))
            match = re.fullmatch(pattern, str(value))
            found |= {key: said for key, said in match.groupdict().items() if key not in found} if match else {}
    return found


def _without_rank(
    tier: Mapping[str, Any], data: MultiNode, executor: Executor, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Return a tier without what a group writes for each rank."""
    flags = {canonical_flag(name) for name in (*executor.head.flags, *executor.worker.flags)}
    kept = {key: value for key, value in tier.items() if key not in {*_OWN, *data.needs, *data.needs_rdma}}
    kept["flags"] = {key: value for key, value in _table(tier, "flags").items() if canonical_flag(key) not in flags}
    kept["environment"] = {key: value for key, value in _table(tier, "environment").items() if key not in variables}
    return {key: value for key, value in kept.items() if value != {}}


def _text(ranks: Mapping[int, ImportedRank]) -> str:
    """Return a group's file, and the links of its hosts; a host that is not known has a name in capitals."""
    head = ranks.get(0) or ranks[min(ranks)]
    hosts = [ranks[number].host if number in ranks else f"HOST-OF-RANK-{number}" for number in range(head.nodes)]
    port = {"port": head.port} if head.number == 0 and head.port is not None else {}
    gpus = {host: ranks[number].gpus if number in ranks else head.gpus for number, host in enumerate(hosts)}
    link_port = _number(head.said.get("link_port"))
    group = {
        "schema": 1,
        "hosts": hosts,
        "link": LINK,
        **({} if link_port is None else {"link_port": link_port}),
        **({"executor": head.executor} if head.executor else {}),
        "tiers": {head.tier: {"engine": head.table["engine"], "gpus": gpus, **port, **head.table}},
    }
    lines = [f"# groups/{head.tier}.toml", *inventory_text(group, {}).splitlines()]
    for rank in (ranks[number] for number in sorted(ranks)):
        own = f"# hosts/{rank.host}.toml: in the place of [tiers.{rank.tier}]"
        lines += ["", own, *inventory_text({"links": {LINK: rank.link}}, {}).splitlines()]
        differing = sorted(key for key in {*rank.table, *head.table} if rank.table.get(key) != head.table.get(key))
        lines += [f"# It differs from rank {head.number} in: {', '.join(differing)}"] if differing else []
    return "\n".join(lines)


def _table(tier: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = tier.get(key)
    return found if isinstance(found, Mapping) else {}
