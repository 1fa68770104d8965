"""A group as the operating verbs see it: its ranks over the contexts of their hosts, and what they do to each other."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, join_words
from anvil_gen.inventory.fleet import GROUPS, fleet_root, host_names, hosts_folder
from anvil_gen.inventory.group_files import GroupFile, read_groups
from anvil_gen.machine.compose import OVERRIDES
from anvil_gen.machine.containers import moment
from anvil_gen.machine.same_files import differing_files
from anvil_gen.machine.ssh import over_ssh
from anvil_gen.operate.deployment import Deployment, staleness
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.group_images import RankImage, image_drifts, image_errors, image_of_rank
from anvil_gen.operate.group_overrides import RankOverride, override_drifts, override_errors, override_of_rank
from anvil_gen.operate.status import Row
from anvil_gen.operate.statuses import Answer, statuses
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Service

_RECREATED = ("config", "image")
_SAME_START = 10.0
"""Seconds by which clocks of two hosts may differ, and starts of ranks that belong together."""


class OperatedRank(Struct, frozen=True, kw_only=True):
    """One rank, and the host that it is operated on."""

    group: str
    number: int
    tier: str
    deployment: Deployment

    @property
    def host(self) -> str:
        """The host's name in the fleet."""
        return self.deployment.host.path.stem

    @property
    def service(self) -> Service:
        """Its service in the files."""
        return next(tier.service for tier in self.deployment.stack.tiers if tier.name == self.tier)

    @property
    def image(self) -> str:
        """The image's name in the files, which is the same for all ranks."""
        return str(self.service.image)

    def command(self, verb: str) -> str:
        """Return what a person types on the host itself."""
        root = fleet_root(self.deployment.host.path)
        return f"cd {shlex.quote(root.as_posix())} && anvil-gen {verb} {self.host} {self.tier}"


def ranks_of_group(word: str, here: Path) -> list[OperatedRank]:
    """Return the ranks of the group that a word names, by their numbers; none where it names a host or nothing.

    Raises:
        DiagnosticError: the group or one of its hosts cannot be read.
    """
    folder = hosts_folder(here)
    if folder is None or word in host_names(here) or not (folder.parent / GROUPS / f"{word}.toml").is_file():
        return []
    found = next(one for one in read_groups(folder / "_.toml") if one.name == word)
    return [*_ranks(found, folder)]


def _ranks(group: GroupFile, folder: Path) -> Iterator[OperatedRank]:
    catalog = Catalog(folder.parent / "templates")
    for number, name in enumerate(group.hosts):
        host = Host(Path(display_path(folder / f"{name}.toml")), catalog)
        _ = host.stack  # with all that is wrong in the group
        yield OperatedRank(group=group.name, number=number, tier=group.tier, deployment=Deployment(host))


def require_operable(ranks: Sequence[OperatedRank], verb: str, *, stale_too: bool) -> None:
    """Refuse a group of which one host cannot be operated from here; with ``stale_too``, or is not rendered.

    Raises:
        DiagnosticError: with each of these hosts, and what to type there.
    """
    stale = [one for rank in ranks if stale_too and (one := staleness(rank.deployment, then="run this again"))]
    if stale:  # also what another version has rendered: that of the other hosts may be of yet another one
        raise DiagnosticError(replace(one, severity="error") for one in stale)
    for rank in ranks if stale_too else ():  # one in another mode alone would be found when others are stopped
        rank.deployment.services(rank.deployment.mode(None), [rank.tier])
    here = [rank for rank in ranks if rank.deployment.host.docker_context is None]
    refused = [_refusal(rank, verb, _NO_CONTEXT) for rank in here if len(here) > 1]
    for rank in (rank for rank in ranks if rank not in here):
        try:
            refused += [_refusal(rank, verb, why)] if (why := _not_the_same(rank)) else []
        except DiagnosticError as error:  # of the context, without a word of whose it is
            refused += [replace(one, location=one.location or _inventory_of(rank)) for one in error.diagnostics]
    if refused:
        raise DiagnosticError(refused)


def _refusal(rank: OperatedRank, verb: str, why: str) -> Diagnostic:
    return Diagnostic(
        code="host-cannot-be-operated-from-here",
        detail=f"{rank.host}: {why}",
        remedy=f"run it there:\n\n    {rank.command(verb)}",
        location=_inventory_of(rank),
    )


def _inventory_of(rank: OperatedRank) -> Location:
    return Location(file=display_path(rank.deployment.host.path))


def rendered(ranks: Sequence[OperatedRank]) -> list[OperatedRank]:
    """Write the files of all hosts of a group, or of none, and return its ranks with them.

    Raises:
        DiagnosticError: a file of one of them was changed by hand.
    """
    write_trees([plan for rank in ranks if (plan := rank.deployment.pending) is not None])
    return [replace(rank, deployment=Deployment(rank.deployment.host)) for rank in ranks]


def different_images(ranks: Sequence[OperatedRank]) -> list[Diagnostic]:
    """Return why ranks would not start from one image, by what its name means on each host now."""
    images = [image_of_rank(rank.host, rank.deployment.project.docker, rank.image) for rank in ranks]
    return image_errors(ranks[0].group, images)


def different_overrides(ranks: Sequence[OperatedRank]) -> list[Diagnostic]:
    """Return why ranks would not be told the same, by the files that Compose reads next to the rendered ones.

    Raises:
        DiagnosticError: Compose refuses the files of a host.
    """
    return override_errors(ranks[0].group, overrides_of(ranks))


def overrides_of(ranks: Sequence[OperatedRank]) -> list[RankOverride]:
    """Return what the override file of each host makes of its rank.

    Raises:
        DiagnosticError: Compose refuses the files of a host.
    """
    return [override_of_rank(rank.host, rank.deployment.project, rank.service.name) for rank in ranks]


_NO_CONTEXT = "it has no docker_context in [host], and another host of the group has none either"


def _not_the_same(rank: OperatedRank) -> str:
    """Return why a host's context does not lead to the tree that is here; empty where it does."""
    deployment = rank.deployment
    docker, folder = deployment.project.docker, deployment.project.folder
    if not docker.is_remote:
        return ""
    run = over_ssh(docker.endpoint)
    if run is None:
        return f"{docker.endpoint} is another machine, which only SSH can ask for its files"
    rendered_files = generator().render(deployment.host.path).tree.files
    own = {name: _text_of(folder / name) for name in OVERRIDES}
    differing = differing_files(run, folder.as_posix(), {**rendered_files, **own})
    return (
        f"it does not have the same files in {folder.as_posix()}: {join_words(differing, limit=4)}" if differing else ""
    )


def _text_of(path: Path) -> str | None:
    return path.read_text("utf-8", "surrogateescape") if path.is_file() else None


class GroupStatus(Struct, frozen=True, kw_only=True):
    """What the ranks of a group do, and what one of them does to the others."""

    group: str
    ranks: tuple[tuple[OperatedRank, Answer], ...]
    drift: tuple[Drift, ...]

    def row(self, number: int) -> Row | None:
        """Return what is known of a rank; None where its host does not answer."""
        rank, answer = self.ranks[number]
        rows = answer.status.rows if answer.status is not None else ()
        return next((row for row in rows if row.tier == rank.tier), None)

    @property
    def changing(self) -> list[str]:
        """Why an `up` would recreate a rank that runs, which the others would not survive."""
        rows = [(rank, self.row(number)) for number, (rank, _) in enumerate(self.ranks)]
        return [
            f"rank {rank.number} on {rank.host}: {drift.detail}"
            for rank, row in rows
            if row is not None and row.state == "running"
            for drift in row.drift
            if drift.kind in _RECREATED
        ]

    @property
    def has_drift(self) -> bool:
        """Whether anything of the group is not as it should be."""
        rows = [self.row(number) for number in range(len(self.ranks))]
        return bool(self.drift) or any(row is None or row.drift for row in rows)


def group_status(ranks: Sequence[OperatedRank]) -> GroupStatus:
    """Return the status of a group; a host that does not answer is part of it."""
    answers = statuses([rank.deployment for rank in ranks])
    found = GroupStatus(group=ranks[0].group, ranks=tuple(zip(ranks, answers, strict=True)), drift=())
    drift = group_drift(ranks, [found.row(number) for number in range(len(ranks))])
    return GroupStatus(group=found.group, ranks=found.ranks, drift=(*drift, *_override_drifts(ranks)))


def _override_drifts(ranks: Sequence[OperatedRank]) -> list[Drift]:
    """Return the drift of a group by override files; none where Compose refuses them, which the rank's row says."""
    try:
        return list(override_drifts(ranks[0].group, overrides_of(ranks)))
    except DiagnosticError:
        return []


def running_group(ranks: Sequence[OperatedRank]) -> GroupStatus:
    """Return the status of a group whose hosts all answer.

    Raises:
        DiagnosticError: why one of them does not.
    """
    found = group_status(ranks)
    silent = [one for _, answer in found.ranks if answer.status is None for one in answer.diagnostics]
    if silent:
        raise DiagnosticError(silent)
    return found


def group_drift(ranks: Sequence[OperatedRank], rows: Sequence[Row | None]) -> Iterator[Drift]:
    """Yield what ranks do to each other: those that are left of a group hang, and never end."""
    group = ranks[0].group
    remedy = f"anvil-gen up {group}"
    running = [row is not None and row.state == "running" for row in rows]
    head = rows[0]
    for rank, row, runs in zip(ranks, rows, running, strict=True):
        if row is None:
            yield Drift(kind="rank", detail=f"rank {rank.number}: {rank.host} does not answer", remedy=remedy)
        elif not runs and any(running):
            detail = f"rank {rank.number} on {rank.host} is {row.state}: the others wait for it, and hang"
            yield Drift(kind="rank", detail=detail, remedy=remedy)
        elif runs and running[0] and head is not None and _seconds(row) > _seconds(head) + _SAME_START:
            detail = f"rank {rank.number} on {rank.host} has started again since the head did, which has lost it"
            yield Drift(kind="rank", detail=detail, remedy=remedy)
    pairs = [(rank, row) for rank, row in zip(ranks, rows, strict=True) if row is not None and row.state == "running"]
    images = [RankImage(host=rank.host, name=rank.image, digests=row.image) for rank, row in pairs]
    yield from image_drifts(group, images)


def _seconds(row: Row) -> float:
    return moment(row.started_at).timestamp() if row.started_at else 0.0
