"""A host as the operating commands see it: what its inventory renders, what is on disk, and its project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from anvil_gen.catalog.catalog import catalog_of
from anvil_gen.deploy.deploy_tree import DeployTree
from anvil_gen.diagnostics import (
    Diagnostic,
    DiagnosticError,
    ExitCode,
    Location,
    did_you_mean,
    display_path,
    join_words,
)
from anvil_gen.inventory.fleet import find_inventory, fleet_root
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.dotenv import variables
from anvil_gen.machine.ownership import require_known_services, require_own_containers
from anvil_gen.machine.project_lock import project_lock
from anvil_gen.operate.with_values import with_values
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Mode, Stack, Tier
from anvil_gen.resolve.root_files import DEFAULT_MODE
from anvil_gen.resolve.target import CODE, resolve_target

if TYPE_CHECKING:
    from anvil_gen.deploy.plan import Plan


class Deployment:
    """A host that can be operated: its project is known when its inventory is read, the rest when first asked for."""

    def __init__(self, host: Host) -> None:
        """Take a host that has been read."""
        self.host = host

    @cached_property
    def project(self) -> Project:
        """Its project of Docker Compose.

        Raises:
            DiagnosticError: something else runs its services.
        """
        target = resolve_target(self.host, self.host.options.target)
        if target.data.operated_by != "compose":
            detail = f"{target.data.title} run its services, and this speaks to Docker Compose alone"
            remedy = "`up`, `down`, `status` and `logs` are for it too" if target.data.operated_by else ""
            location = self.host.collector.document.location(("host", "target"))
            raise DiagnosticError([Diagnostic(code=CODE, detail=detail, remedy=remedy, location=location)])
        return Project(docker=Docker(self.host.docker_context), folder=self.host.output, name=self.host.project)

    @cached_property
    def stack(self) -> Stack:
        """What the inventory resolves to, with the values that variables have on this host.

        Raises:
            DiagnosticError: the inventory has errors.
        """
        return with_values(self.host.stack, variables(self.host.output))

    @cached_property
    def pending(self) -> Plan | None:
        """What a render would change; None if nothing.

        Raises:
            DiagnosticError: the inventory has errors, or the deploy folder cannot be read.
        """
        folder = DeployTree(self.host.output, inventory=self.host.header)
        if folder.is_as_rendered(self.host.sources):
            return None
        from anvil_gen.deploy.pipeline import generator  # noqa: PLC0415  only what is not known to be fresh needs it

        plan = generator().render(self.host.path)
        return plan if plan.files else None

    @property
    def stale(self) -> bool:
        """Tell whether the files on disk are not what the inventory renders."""
        return self.pending is not None

    @property
    def unrendered(self) -> bool:
        """Tell whether no rendered file is on disk."""
        missing = [change for change in self.pending.files if change.action == "create"] if self.pending else []
        return self.pending is not None and len(missing) == len(self.pending.tree.files)

    @property
    def container_names(self) -> list[str]:
        """The container names that the inventory sets, without those that contain variables."""
        names = [tier.service.container_name for tier in self.stack.tiers]
        names += router_containers(self.stack)
        return [name for name in names if isinstance(name, str)]

    def mode(self, name: str | None) -> Mode:
        """Return a mode by its name; without one, the default mode.

        Raises:
            DiagnosticError: there is no mode of that name.
        """
        return mode_of(self.stack, name)

    def services(self, mode: Mode, names: Sequence[str]) -> list[str]:
        """Return the services of a mode by names of tiers or services; all of them for no name.

        Raises:
            DiagnosticError: with every name that the mode does not have.
        """
        known = services_of(self.stack, mode)
        by_name = {**{service: service for service in known.values()}, **known}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise DiagnosticError(self._not_in_mode(mode, name, by_name) for name in missing)
        chosen = dict.fromkeys(by_name[one] for name in names or known for one in servers_of(mode, name))
        return [*chosen, *(one for one in reload_services([mode]) if mode.router and mode.router.service in chosen)]

    def _not_in_mode(self, mode: Mode, name: str, known: Iterable[str]) -> Diagnostic:
        host = self.stack.host
        elsewhere = next((other for other in self.stack.modes if name in services_of(self.stack, other)), None)
        if elsewhere is not None:
            detail = f'"{name}" is not part of the mode "{mode.title}"'
            remedy = f"add its mode:\n\n    anvil-gen up {host} {name} --mode {elsewhere.title}"
            return Diagnostic(code="not-in-this-mode", detail=detail, remedy=remedy)
        is_tier = any(tier.name == name for tier in self.stack.tiers)
        if is_tier or any(extra.name == name for extra in self.stack.services):
            section = "tiers" if is_tier else "services"
            detail, remedy = f'"{name}" is on standby and in no mode', f'add it to the "{section}" of a mode'
            return Diagnostic(code="not-in-any-mode", detail=detail, remedy=remedy)
        detail = f'"{name}" is neither a tier nor a service of {host} (defined: {join_words(known)})'
        remedy = did_you_mean(name, known) or "name one of them"
        return Diagnostic(code="unknown-tier", detail=detail, remedy=remedy)


def mode_of(stack: Stack, name: str | None) -> Mode:
    """Return a mode by its name; without one, the default mode.

    Raises:
        DiagnosticError: there is no mode of that name.
    """
    title = name or DEFAULT_MODE
    modes = {mode.title: mode for mode in stack.modes}
    if title in modes:
        return modes[title]
    detail = f'"{title}" is not a mode of {stack.host} (defined: {join_words(modes)})'
    remedy = did_you_mean(title, modes) or "name one of them"
    raise DiagnosticError([Diagnostic(code="unknown-mode", detail=detail, remedy=remedy)])


def services_of(stack: Stack, mode: Mode) -> dict[str, str]:
    """Return the services of a mode by the inventory's names for them: tiers, further services, the router."""
    router = {mode.router.service: mode.router.service} if mode.router is not None else {}
    tiers = {tier.name: tier.service.name for tier in mode.tiers}
    return {**tiers, **{extra.name: extra.name for extra in mode.services}, **router}


def servers_of(mode: Mode, name: str) -> list[str]:
    """Return the names of all servers of a tier in a mode; the name itself, where it is no tier's."""
    return [tier.name for tier in mode.tiers if tier.group == name] or [name]


def reload_services(modes: Iterable[Mode]) -> set[str]:
    """Return the services that reload the modes' routers; to people, what one does is done by its router."""
    return {mode.router.reload_service for mode in modes if mode.router is not None and mode.router.reloads}


def router_containers(stack: Stack) -> list[str | None]:
    """Return the container names of the router and of what reloads it."""
    router = stack.router
    if router is None:
        return []
    return [router.container_name, *([router.reload_container_name] if router.reloads else [])]


def tier_of(stack: Stack, service: str) -> Tier | None:
    """Return the tier behind a service; None for the router and further services."""
    return next((tier for tier in stack.tiers if tier.service.name == service), None)


def open_deployment(host: str, here: Path, *, target: str = "") -> Deployment:
    """Return the host that a name or a path refers to, without what a ``target`` does not get.

    Raises:
        DiagnosticError: there is no such host, or its inventory cannot be read.
    """
    path = find_inventory(host, here)
    return Deployment(Host(path, catalog_of(fleet_root(path)), target=target))


def delegate(
    deployment: Deployment,
    arguments: Sequence[str],
    tiers: Sequence[str],
    mode: str | None,
    *,
    on_wait: Callable[[], None] | None = None,
    stdout: int | None = None,
) -> int:
    """Run a compose command for some tiers of a mode, or for the whole mode, on this terminal; return its exit code.

    With ``on_wait`` the command changes what runs: it takes the project's lock, and calls ``on_wait`` before a wait.
    ``stdout`` redirects its output.

    Raises:
        DiagnosticError: nothing is rendered, there is no such mode or tier, the containers are another inventory's, or
            Docker or Compose is missing.
    """
    chosen = deployment.mode(mode)
    services = deployment.services(chosen, tiers) if tiers else []
    diagnostic = staleness(deployment, then="run this again")
    if diagnostic is not None and not (deployment.project.folder / chosen.root_file).is_file():
        raise DiagnosticError([diagnostic])
    deployment.project.docker.output("version", "--format", "{{.Server.Version}}")
    if on_wait is not None:
        project = deployment.project
        containers = ContainerQuery(project.docker, project.name).containers()
        require_own_containers(project, containers)
        if "--remove-orphans" in arguments:
            require_known_services(project, containers, all_services(deployment.stack))
    with project_lock(deployment.project.folder, on_wait) if on_wait is not None else nullcontext(()) as held:
        code = deployment.project.run_interactive(
            *arguments, *services, root_file=chosen.root_file, stdout=stdout, inherited=held
        )
    if code not in (ExitCode.OK, ExitCode.INTERRUPTED):
        deployment.project.docker.output("compose", "version")  # without Compose, docker itself has failed
    return code


def all_services(stack: Stack) -> set[str]:
    """Return the services of every mode, and of the tiers that are in none."""
    in_modes = {service for mode in stack.modes for service in services_of(stack, mode).values()}
    in_none = {tier.service.name for tier in stack.tiers} | {extra.name for extra in stack.services}
    return in_modes | reload_services(stack.modes) | in_none


def staleness(deployment: Deployment, *, then: str = "") -> Diagnostic | None:
    """Return the diagnostic for files on disk that are not what the inventory renders now.

    ``then`` is the step after a render.
    """
    host, pending = deployment.host, deployment.pending
    if pending is None:
        return None
    paths = join_words((change.path for change in pending.files), limit=6)
    if pending.folder.is_of_another_version(pending.files, sources=host.sources):
        return Diagnostic(
            code="files-were-rendered-by-another-version-of-anvil-gen",
            detail=f"the files on disk are used as they are; this version renders them differently: {paths}",
            remedy=f"to update and review them:\n\n    {host.command}",
            location=Location(file=display_path(host.output)),
            severity="warning",
        )
    by_word = {"missing": ("create",), "different": ("update",), "left over": ("delete",)}
    found = {word: [one.path for one in pending.files if one.action in actions] for word, actions in by_word.items()}
    return Diagnostic(
        code="nothing-is-rendered-yet" if deployment.unrendered else "files-do-not-match-the-inventory",
        detail="; ".join(f"{word}: {join_words(paths, limit=6)}" for word, paths in found.items() if paths),
        remedy=f"render, {f'review, and {then}' if then else 'and review'}:\n\n    {host.command}",
        location=Location(file=display_path(host.output)),
    )
