"""Whether the machine can run what is rendered: Docker, Compose, the platform, the files and their variables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, Location, Severity, display_path
from anvil_gen.machine.docker import BAD_VARIABLES, INSTALL_DOCS, failure
from anvil_gen.machine.docker_info import OLDEST_COMPOSE, OLDEST_DOCKER, is_older
from anvil_gen.machine.dotenv import FILE
from anvil_gen.operate.deployment import staleness
from anvil_gen.operate.doctor.check import Check, Place, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.remote import unmountable
from anvil_gen.resolve.model import ENV_EXAMPLE_FILE

_COMPOSE_DOCS = "https://docs.docker.com/compose/install/"


def check_inventory(context: DoctorContext) -> Iterator[Check]:
    """Repeat what a render warns of; with an error in it, nothing could have been looked at."""
    warnings = context.deployment.resolved.warnings
    yield from (Check(what="inventory", diagnostic=warning) for warning in warnings)
    if not warnings:
        yield Check(what="inventory", found=context.inventory)


def check_docker(context: DoctorContext) -> Iterator[Check]:
    """Look for Docker, for Compose, and for an engine that answers."""
    engine = context.docker_info
    if not engine.client:
        yield Check(what="docker", diagnostic=engine.diagnostic)
        return
    yield _version("docker", engine.client, OLDEST_DOCKER, INSTALL_DOCS)
    if engine.compose:
        yield _version("compose", engine.compose, OLDEST_COMPOSE, _COMPOSE_DOCS)
    else:
        remedy = with_commands(
            f"install it (other systems: {_COMPOSE_DOCS})",
            "sudo apt-get update && sudo apt-get install docker-compose-plugin",
        )
        yield failed("compose", "Docker Compose is missing", "`docker compose` is no command here", remedy)
    if engine.diagnostic is not None:
        yield Check(what="engine", diagnostic=engine.diagnostic)
        return
    where = "this machine's" if engine.local else f"on another machine, {engine.endpoint}"
    system = str(engine.info.get("OperatingSystem") or "")
    yield Check(what="engine", found=", ".join(part for part in (engine.server, system, where) if part))


def _version(what: str, version: str, oldest: tuple[int, int], docs: str) -> Check:
    needed = ".".join(map(str, oldest))
    if not is_older(version, oldest):
        return Check(what=what, found=version)
    detail = f"{version} is here, and {needed} or newer is needed"
    packages = "docker-ce-cli" if oldest == OLDEST_DOCKER else "docker-compose-plugin"
    remedy = with_commands(
        f"install a newer one (other systems: {docs})", f"sudo apt-get update && sudo apt-get install {packages}"
    )
    return failed(what, f"{what} is too old", detail, remedy)


def check_platform(context: DoctorContext) -> Iterator[Check]:
    """Compare the platform that containers run on with the one that the inventory says."""
    stated, real = str(context.deployment.stack.platform), context.platform
    if real is None or real == stated:
        yield Check(what="platform", found=stated if real else f"{stated}, as the inventory says")
        return
    remedy = with_commands(f"write into {context.inventory}", "[host]", f'platform = "{real}"')
    detail = f'the inventory says "{stated}", and containers run on "{real}" here'
    yield failed("platform", "other platform than stated", detail, remedy, at=context.place("host", "platform"))


def check_tree(context: DoctorContext) -> Iterator[Check]:
    """Compare the files on disk with what the inventory renders now."""
    stale = staleness(context.deployment)
    if stale is None:
        folder = display_path(context.deployment.project.folder)
        yield Check(what="files", found=f"{folder} is what the inventory renders")
    else:
        yield Check(what="files", diagnostic=stale)


def check_remote(context: DoctorContext) -> Iterator[Check]:
    """Look for generated files that an engine on another machine would have to mount."""
    diagnostic = remote_diagnostic(context)
    if diagnostic is not None:
        yield Check(what="mounts", diagnostic=diagnostic)


def remote_diagnostic(context: DoctorContext) -> Diagnostic | None:
    """Return why services cannot run on an engine elsewhere; None where they can, or the engine is here."""
    engine = context.docker_info
    return None if engine.local else unmountable(context.deployment, context.requirements, engine.endpoint)


def check_env_file(context: DoctorContext) -> Iterator[Check]:
    """Let Compose read the ``.env``, beside a project that has nothing else to be wrong with."""
    folder = context.deployment.project.folder
    if not context.docker_info.compose or not (folder / FILE).is_file():
        return
    arguments = ("compose", "--project-name", "env", "--file", "-", "config", "--quiet")
    done = context.docker.run(*arguments, text='{"services": {"x": {"image": "x"}}}', folder=folder)
    diagnostic = failure(done.stderr, arguments) if done.returncode != 0 else None
    if diagnostic is not None and diagnostic.summary == BAD_VARIABLES:
        yield Check(what="variables", diagnostic=replace(diagnostic, location=Location(file=_env_file(context))))


def check_variables(context: DoctorContext) -> Iterator[Check]:
    """Look for a value of each variable that is read and has no default."""
    needed = _needed(context)
    for name, (services, is_needed) in needed.items():
        file = _env_file(context)
        detail = f"{name} has no value, neither in the shell nor in {file}; read by {', '.join(services)}"
        remedy = _set_variable(context, name)
        at = Place("", Location(file=file))
        severity: Severity = "error" if is_needed else "warning"
        yield failed(f"variable {name}", "variable is not set", detail, remedy, at=at, severity=severity)
    read = {variable.name for variable in context.deployment.stack.variables if variable.standing}
    have = sorted(name for name in read if context.values.get(name) and name not in needed)
    yield from (Check(what=f"variable {name}", found="set") for name in have)


def _needed(context: DoctorContext) -> dict[str, tuple[list[str], bool]]:
    """Return the variables without a value: the services that read them, and whether one cannot do without."""
    found: dict[str, tuple[list[str], bool]] = {}
    router = context.mode.router
    for required in context.requirements:
        for name, refused in required.variables:
            services, is_needed = found.get(name, ([], False))
            # A router without its key lets nobody in, or everybody.
            is_key = router is not None and router.service == required.service and router.api_key_env == name
            found[name] = ([*services, required.name], is_needed or refused or is_key)
    return found


def _env_file(context: DoctorContext) -> str:
    return display_path(context.deployment.project.folder / FILE)


def _set_variable(context: DoctorContext, name: str) -> str:
    """Return how a variable gets its value: the clients' key is made, others are written by hand."""
    folder = context.deployment.project.folder
    file, example = shlex.quote(display_path(folder / FILE)), shlex.quote(display_path(folder / ENV_EXAMPLE_FILE))
    commands = [] if (folder / FILE).exists() else [f"cp {example} {file}"]
    router = context.mode.router
    if router is None or router.api_key_env != name:
        return with_commands(f"write {name}=... there", *commands, f"${{EDITOR:-vi}} {file}")
    return with_commands("write it there", *commands, f'echo "{name}=$(openssl rand -hex 32)" >> {file}')
