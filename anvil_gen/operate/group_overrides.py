"""What override files make of a group's ranks: Compose reads one next to the rendered files, on its host alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.compose_diff import Address, compare
from anvil_gen.diagnostics import Diagnostic, join_words
from anvil_gen.machine.compose import Project
from anvil_gen.operate.drift import Drift


class RankOverride(Struct, frozen=True, kw_only=True):
    """What the override file of a host changes of a rank: addresses, with what they have before and after."""

    host: str
    file: str
    changes: frozenset[tuple[Address, str, str]]


def override_of_rank(host: str, project: Project, service: str) -> RankOverride:
    """Return what Compose makes of a rank otherwise than its rendered files say.

    Raises:
        DiagnosticError: Compose refuses the files.
    """
    if not project.override:
        return RankOverride(host=host, file="", changes=frozenset())
    before, after = (_alone(project.services(overridden=overridden), service) for overridden in (False, True))
    changes = [(one.address, repr(one.before), repr(one.after)) for one in compare([before], [after])]
    return RankOverride(host=host, file=project.override, changes=frozenset(changes))


def _alone(config: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    """Return a service of a project, with the volumes that it mounts."""
    found = config["services"].get(service, {})
    mounted = {mount.get("source") for mount in found.get("volumes") or [] if mount.get("type") == "volume"}
    volumes = {name: volume for name, volume in (config.get("volumes") or {}).items() if name in mounted}
    return {"services": {service: found}, "volumes": volumes}


def override_differences(overrides: Sequence[RankOverride]) -> Iterator[str]:
    """Yield what the override file of one host changes, and not those of all others in the same way.

    Values stay unsaid: one of them may be a secret.
    """
    common = frozenset.intersection(*(one.changes for one in overrides))
    for one in overrides:
        own = sorted({".".join(address[2:]) or address[-1] for address, _, _ in one.changes - common})
        if own:
            yield f"{one.file} of {one.host} changes {join_words(own, limit=4)}, and not on all hosts alike"


def remedy_of_override(group: str) -> str:
    """Return what gives all ranks the same."""
    return f"write it in groups/{group}.toml (`override`, `environment`), and remove it from the file"


def override_drifts(group: str, overrides: Sequence[RankOverride]) -> Iterator[Drift]:
    """Yield the drift of a group of which one host's files say something else."""
    for difference in override_differences(overrides):
        yield Drift(kind="config", detail=f"ranks differ: {difference}", remedy=remedy_of_override(group))


def override_errors(group: str, overrides: Sequence[RankOverride]) -> list[Diagnostic]:
    """Return why ranks would be told different things."""
    return [
        Diagnostic(code="hosts-of-a-group-differ", detail=difference, remedy=remedy_of_override(group))
        for difference in override_differences(overrides)
    ]
