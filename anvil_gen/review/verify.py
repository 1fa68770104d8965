"""Whether a plan says what Docker Compose would do, by the hashes that it compares containers with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from shutil import rmtree

from anvil_gen.deploy.consequence import Consequence
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.compose import Project
from anvil_gen.machine.docker import Docker
from anvil_gen.render.syntaxes import parse, syntax_of
from anvil_gen.resolve.model import EXPERIMENT_FILE
from anvil_gen.resolve.root_files import ROOT_FILE
from anvil_gen.review.consequence import reloaders, roots, services_in
from anvil_gen.review.host_plan import HostPlan

Hashes = Mapping[str, str]
"""What Compose compares a container with, by service."""
_STAYS = "none"
_BY_PRESENCE = {(True, False): Consequence.STOP.value, (False, True): Consequence.START.value}


def verify(plans: Iterable[HostPlan]) -> int:
    """Return of how many services Compose does what is planned.

    Raises:
        DiagnosticError: it would do something else to one of them, or refuses the files.
    """
    number, wrong = 0, list[Diagnostic]()
    for plan in plans:
        services, errors = _of_host(plan) if plan.files else ([], [])
        number += len(services)
        wrong += errors
    if wrong:
        raise DiagnosticError(wrong)
    return number


def files_before(plan: HostPlan) -> dict[str, str]:
    """Return the files that a plan changes, and those that it leaves as they are."""
    changed = {change.path for change in plan.files}
    kept = {path: text for path, text in plan.tree.files.items() if path not in changed}
    return kept | {change.path: change.before for change in plan.files if change.before is not None}


def _of_host(plan: HostPlan) -> tuple[set[str], list[Diagnostic]]:
    """Return the services of a host's modes, before and after, and what is wrong of them."""
    before, after = files_before(plan), plan.tree.files
    old, new = _hashes(before, after)
    routers = {**_routers(before), **_routers(after)}
    found, errors = set[str](), list[Diagnostic]()
    for mode in old.keys() | new.keys():
        one, other = old.get(mode, {}), new.get(mode, {})
        services = {*one, *other, *(it.service for it in plan.services if it.root == mode)} - routers.keys()
        found |= services
        for service in sorted(services):
            errors += _compared(plan, mode, service, _consequence(service, one, other, routers))
    return found, errors


def _hashes(*sides: Mapping[str, str]) -> Iterator[dict[str, Hashes]]:
    """Yield the hashes of each mode's services, of trees that are at the same place: it is in the hashes."""
    with tempfile.TemporaryDirectory(prefix="anvil-gen-") as name:
        folder = Path(name).resolve() / "tree"
        for files in sides:
            for path, text in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, "utf-8", newline="")
            project = Project(docker=Docker(), folder=folder, name="plan")
            yield {mode: project.hashes(mode) for mode in roots(files) if mode != EXPERIMENT_FILE}
            rmtree(folder, ignore_errors=True)


def _routers(files: Mapping[str, str]) -> dict[str, str]:
    """Return the services that reload a router, each with its router."""
    return reloaders(services_in(parse(text, path) for path, text in files.items() if syntax_of(path) == "yaml"))


def _consequence(service: str, before: Hashes, after: Hashes, routers: Mapping[str, str]) -> str:
    """Return what Compose makes of a service of a mode; where only its reloader is another one, it reloads."""
    if before.get(service) != after.get(service):
        return _BY_PRESENCE.get((service in before, service in after), Consequence.RECREATE.value)
    own = (reloader for reloader, router in routers.items() if router == service)
    return Consequence.RELOAD.value if any(before.get(one) != after.get(one) for one in own) else _STAYS


def _compared(plan: HostPlan, mode: str, service: str, real: str) -> Iterator[Diagnostic]:
    told = {one.root: _word(one.consequence) for one in plan.services if one.service == service}
    # Of other modes than the default one, only what is not told there is told.
    planned = [told[mode]] if mode in told else [_STAYS] if mode == ROOT_FILE else [_STAYS, *told.values()]
    if real not in planned:
        detail = f'{plan.host}, {mode}, {service}: "{planned[-1]}" is planned, and Compose does "{real}"'
        yield Diagnostic(code="compose-does-something-else", detail=detail, remedy="report it, with the edit")


def _word(consequence: Consequence) -> str:
    is_left_alone = consequence in (Consequence.NONE, Consequence.PULL_OR_BUILD)
    return _STAYS if is_left_alone else consequence.value
