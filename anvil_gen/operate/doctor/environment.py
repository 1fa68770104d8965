"""Checks of the environment: Docker, Compose, the platform, the rendered files and their variables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, Location, Severity, display_path
from anvil_gen.machine.docker import INSTALL_DOCS, failure
from anvil_gen.machine.docker_info import OLDEST_COMPOSE, OLDEST_DOCKER, is_older
from anvil_gen.machine.dotenv import BAD_VARIABLES, FILE, env_file_errors
from anvil_gen.operate.deployment import staleness
from anvil_gen.operate.doctor.check import Check, Place, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.remote import unmountable
from anvil_gen.resolve.model import ENV_EXAMPLE_FILE

_COMPOSE_DOCS = "https://docs.docker.com/compose/install/"


def check_inventory(context: DoctorContext) -> Iterator[Check]:
    """Repeat the warnings of a render; with an error in the inventory, no check could have run."""
    warnings = context.deployment.host.warnings
    yield from (Check(what="inventory", diagnostic=warning) for warning in warnings)
    if not warnings:
        yield Check(what="inventory", found=context.inventory)


def check_docker(context: DoctorContext) -> Iterator[Check]:
    """Check for Docker, Compose and a daemon that answers."""
    info = context.docker_info
    if not info.client:
        yield Check(what="docker", diagnostic=info.diagnostic)
        return
    yield _version("docker", info.client, OLDEST_DOCKER, INSTALL_DOCS)
    if info.compose:
        yield _version("compose", info.compose, OLDEST_COMPOSE, _COMPOSE_DOCS)
    else:
        remedy = with_commands(
            f"install it (other systems: {_COMPOSE_DOCS})",
            "sudo apt-get update && sudo apt-get install docker-compose-plugin",
        )
        yield failed("compose", "docker-compose-is-missing", "`docker compose` is not available", remedy)
    if info.diagnostic is not None:
        yield Check(what="daemon", diagnostic=info.diagnostic)
        return
    where = "on this host" if info.local else f"on another host, {info.endpoint}"
    system = str(info.info.get("OperatingSystem") or "")
    yield Check(what="daemon", found=", ".join(part for part in (info.server, system, where) if part))


def _version(what: str, version: str, oldest: tuple[int, int], docs: str) -> Check:
    needed = ".".join(map(str, oldest))
    if not is_older(version, oldest):
        return Check(what=what, found=version)
    detail = f"{version} is installed; {needed} or newer is required"
    of_docker = oldest == OLDEST_DOCKER
    code = "docker-too-old" if of_docker else "compose-too-old"
    packages = "docker-ce-cli" if of_docker else "docker-compose-plugin"
    remedy = with_commands(
        f"install a newer one (other systems: {docs})", f"sudo apt-get update && sudo apt-get install {packages}"
    )
    return failed(what, code, detail, remedy)


def check_platform(context: DoctorContext) -> Iterator[Check]:
    """Compare the platform that containers run on with the inventory."""
    stated, real = str(context.deployment.stack.platform), context.platform
    if real is None or real == stated:
        yield Check(what="platform", found=stated if real else f"{stated}, according to the inventory")
        return
    remedy = with_commands(f"set in {context.inventory}", "[host]", f'platform = "{real}"')
    detail = f'the inventory says "{stated}", but containers run on "{real}" here'
    yield failed(
        "platform", "platform-differs-from-the-inventory", detail, remedy, at=context.place("host", "platform")
    )


def check_architecture(context: DoctorContext) -> Iterator[Check]:
    """Report a host with another processor than the inventory says: its images would be for the wrong one."""
    stated, real = context.deployment.host.options.architecture, context.docker_info.architecture
    if real and real != stated:
        detail = f'the inventory says "{stated}", but Docker runs on "{real}" here'
        remedy = with_commands(f"set in {context.inventory}", "[host]", f'architecture = "{real}"')
        at = context.place("host", "architecture")
        yield failed("architecture", "architecture-differs-from-the-inventory", detail, remedy, at=at)


def check_tree(context: DoctorContext) -> Iterator[Check]:
    """Compare the files on disk with what the inventory renders now."""
    stale = staleness(context.deployment)
    if stale is None:
        folder = display_path(context.deployment.project.folder)
        yield Check(what="files", found=f"{folder} is up to date")
    else:
        yield Check(what="files", diagnostic=stale)


def check_remote(context: DoctorContext) -> Iterator[Check]:
    """Check for generated files that Docker on another host would have to mount."""
    diagnostic = remote_diagnostic(context)
    if diagnostic is not None:
        yield Check(what="mounts", diagnostic=diagnostic)


def remote_diagnostic(context: DoctorContext) -> Diagnostic | None:
    """Return why services cannot run with Docker on another host; None if they can, or Docker is local."""
    info = context.docker_info
    return None if info.local else unmountable(context.deployment, context.requirements, info.endpoint)


def check_env_file(context: DoctorContext) -> Iterator[Check]:
    """Read the ``.env``, and let Compose read it, with a minimal project that is otherwise valid."""
    folder = context.deployment.project.folder
    errors = env_file_errors(folder)
    for one in errors:
        detail = f"{one.location}: {one.detail}" if one.location is not None else one.detail
        yield Check(what="variables", diagnostic=replace(one, detail=detail))
    if errors or not context.docker_info.compose or not (folder / FILE).is_file():
        return
    arguments = ("compose", "--project-name", "env", "--file", "-", "config", "--quiet")
    done = context.docker.run(*arguments, text='{"services": {"x": {"image": "x"}}}', folder=folder)
    diagnostic = failure(done.stderr, arguments, folder) if done.returncode != 0 else None
    if diagnostic is not None and diagnostic.code == BAD_VARIABLES:
        yield Check(what="variables", diagnostic=replace(diagnostic, location=Location(file=_env_file(context))))


def check_variables(context: DoctorContext) -> Iterator[Check]:
    """Check that each variable without a default has a value."""
    needed = _needed(context)
    for name, (services, is_needed) in needed.items():
        file = _env_file(context)
        detail = f"{name} has no value, neither in the shell nor in {file}; it is read by {', '.join(services)}"
        remedy = _set_variable(context, name)
        at = Place("", Location(file=file))
        severity: Severity = "error" if is_needed else "warning"
        yield failed(f"variable {name}", "variable-is-not-set", detail, remedy, at=at, severity=severity)
    read = {variable.name for variable in context.deployment.stack.variables if variable.standing}
    have = sorted(name for name in read if context.values.get(name) and name not in needed)
    yield from (Check(what=f"variable {name}", found="set") for name in have)


def _needed(context: DoctorContext) -> dict[str, tuple[list[str], bool]]:
    """Return the variables without a value: the services that read them, and whether one of them requires it."""
    found: dict[str, tuple[list[str], bool]] = {}
    router = context.mode.router
    for required in context.requirements:
        for name, refused in required.variables:
            services, is_needed = found.get(name, ([], False))
            # A router without its key admits nobody, or everybody.
            is_key = router is not None and router.service == required.service and router.api_key_env == name
            found[name] = ([*services, required.name], is_needed or refused or is_key)
    return found


def _env_file(context: DoctorContext) -> str:
    return display_path(context.deployment.project.folder / FILE)


def _set_variable(context: DoctorContext, name: str) -> str:
    """Return how to set a variable: the clients' key is generated, others are written manually."""
    folder = context.deployment.project.folder
    file, example = shlex.quote(display_path(folder / FILE)), shlex.quote(display_path(folder / ENV_EXAMPLE_FILE))
    commands = [] if (folder / FILE).exists() else [f"cp {example} {file}"]
    router = context.mode.router
    if router is None or router.api_key_env != name:
        return with_commands(f"set {name}=... in it", *commands, f"${{EDITOR:-vi}} {file}")
    return with_commands("generate it", *commands, f'echo "{name}=$(openssl rand -hex 32)" >> {file}')
