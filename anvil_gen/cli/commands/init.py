"""``anvil-gen init``: create a fleet for this host, or add the host to one."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from anvil_gen.catalog.catalog import Catalog, shipped_catalog
from anvil_gen.cli import options
from anvil_gen.cli.views.init import JsonView, TextView, View
from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, did_you_mean, display_path, join_words
from anvil_gen.inventory.fleet import hosts_folder
from anvil_gen.machine.docker import Docker
from anvil_gen.onboard.copier_answers import Answers, answers_of, gpu_memory
from anvil_gen.onboard.detect import DetectedMachine, MachineAccess, detect, machine_of
from anvil_gen.onboard.existing import compose_file_in
from anvil_gen.onboard.images import name_images
from anvil_gen.onboard.post_setup import local_requirement, make_repository, make_volume, missing_volume, write_key
from anvil_gen.onboard.prerequisites import in_the_way, missing_prerequisites
from anvil_gen.onboard.scaffold import AbortedError, PostSetup, ScaffoldResult, questions, scaffold
from anvil_gen.onboard.template_source import source_of

_ROUTER_PORT = 8000
_FIRST_PORT = 30000


@click.command("init", short_help="Create a fleet repository, or add this host to one.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False))
@click.option("--yes", is_flag=True, help="Do not prompt: use what is detected, and defaults for the rest.")
@click.option(
    "--data",
    "-d",
    "given",
    metavar="QUESTION=ANSWER",
    multiple=True,
    help="Answer to a question (see docs/onboarding.md); repeatable.",
)
@click.option(
    "--import",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Make the inventory of a compose file, run lines, or what runs, by its project or container; repeatable.",
)
@click.option("--adopt", is_flag=True, help="With --import: take the defaults that the source lacks.")
@click.option("--context", metavar="NAME", help="Docker context of the host (default: the current context).")
@options.as_json
def command(
    *,
    folder: str | None,
    yes: bool,
    given: tuple[str, ...],
    sources: tuple[str, ...],
    adopt: bool,
    context: str | None,
    as_json: bool,
) -> ExitCode:
    """Create a fleet repository for this host, or add the host to one.

    DIR is the folder of the fleet, new or existing. Without DIR, uses the fleet that contains the working folder, or
    creates one in the working folder. Detects the host's GPUs, memory, Docker, models and free ports, shows what it
    found, and prompts for the rest. Then renders the files and prints the next commands. Existing files are kept.

    \b
    Examples:
      anvil-gen init my-fleet                      create a fleet with this host
      anvil-gen init                               add this host, from inside the fleet
      anvil-gen init my-fleet --yes -d preset=chat run without prompts
      anvil-gen init my-fleet --import compose.yml what a compose file says, with the proof
    """
    if as_json and not yes:
        raise click.UsageError("--json requires --yes")
    view: View = JsonView() if as_json else TextView()
    catalog = shipped_catalog()
    at = machine_of(Docker(context))
    found = detect(catalog, at, router_port=_ROUTER_PORT, first_port=_FIRST_PORT)
    missing = [*missing_prerequisites(found, catalog, at), *in_the_way(found, sources)]
    view.found(found, missing)
    _offer_import(found, catalog, at, folder, sources)
    answers = _with(answers_of(found, context=context), (*given, *(_IMPORTED if sources else ())))
    if not yes and not sys.stdin.isatty():
        raise DiagnosticError([_NO_TERMINAL])
    try:
        result = scaffold(
            _fleet(folder), answers, source_of(), ask=not yes, check=generator().render, is_finished=_is_finished
        )
    except AbortedError:
        raise click.Abort from None
    if sources:
        _import(result, found, sources, adopt=adopt, context=context)
    view.scaffolded(result, _after_scaffold(result, found, at, sources))
    return ExitCode.OK


def _after_scaffold(
    result: ScaffoldResult, found: DetectedMachine, at: MachineAccess, sources: tuple[str, ...]
) -> PostSetup:
    """Render, and make what does not exist yet."""
    repository = make_repository(result.folder)
    volume = missing_volume(result, found)
    made = volume if volume and make_volume(volume, found, at) else ""
    key, warnings = _render(result)
    return PostSetup(
        repository=repository,
        key=key,
        volume=made,
        missing_volume="" if made else volume,
        imported=bool(sources),
        dotenv=next((file for file in map(_dotenv_beside, sources) if file.is_file()), None),
        warnings=[*warnings, *local_requirement(str(result.answers.get("requirement", "")).strip())],
    )


def _offer_import(
    found: DetectedMachine, catalog: Catalog, at: MachineAccess, folder: str | None, sources: tuple[str, ...]
) -> None:
    """Say what can be imported: what a compose file here describes, or what serves models already."""
    from anvil_gen.importing.running import RunningServer, running_servers  # noqa: PLC0415  brings all of an import

    file = compose_file_in(Path())
    servers: tuple[RunningServer, ...] = ()
    with suppress(DiagnosticError):  # it is an offer
        servers = running_servers(at.docker, catalog) if found.docker.is_available else ()
    offered = [str(file)] if file is not None else list(dict.fromkeys(server.source for server in servers))
    if sources or not offered:
        return
    there = [f"{file} is here"] if file is not None else []
    names = ", ".join(f"{one.container} ({one.engine})" for one in servers)
    there += [f"{names} {'runs' if len(servers) == 1 else 'run'} already"] if servers else []
    words = [
        "anvil-gen",
        "init",
        *([folder] if folder else []),
        *(word for one in offered for word in ("--import", one)),
    ]
    click.echo(
        f"note: {' and '.join(there)}; to make the inventory of it, with the proof that nothing changes:\n\n"
        f"    {shlex.join(words)}\n",
        err=True,
    )


def _import(
    result: ScaffoldResult, found: DetectedMachine, sources: tuple[str, ...], *, adopt: bool, context: str | None
) -> None:
    """Put the inventory of what is there already in the place of an empty one."""
    from anvil_gen.cli.views.import_result import show_result  # noqa: PLC0415
    from anvil_gen.importing.run import Request, run_import  # noqa: PLC0415  none is needed by others
    from anvil_gen.importing.service_gpus import facts_of  # noqa: PLC0415

    request = Request(
        sources=sources,
        kind=None if Path(sources[0]).is_file() else "live",
        name=result.machine,
        output=result.inventory,
        known_gpus={gpu.index: gpu.uuid for gpu in found.gpus},
        gpu_facts={gpu.uuid: facts_of(gpu, *gpu_memory(gpu, found)) for gpu in found.gpus},
        context=context,
        adopt=adopt,
    )
    imported = run_import(request, generator())
    replace_file(result.inventory, result.inventory.read_bytes(), imported.imported.text.encode())
    show_result(imported, display_path(result.inventory))


_IMPORTED = ("preset=empty", "router=none")
"""What is not asked where the inventory says it already."""


_NO_TERMINAL = Diagnostic(
    code="no-terminal-to-prompt-on",
    detail="a few questions cannot be answered from what was detected",
    remedy="to use defaults for them:\n\n    anvil-gen init --yes",
)


def _fleet(folder: str | None) -> Path:
    """Return the named folder, else the fleet around the working folder, else the working folder."""
    if folder is not None:
        return Path(folder)
    hosts = hosts_folder(Path.cwd())
    return Path(display_path(hosts.parent)) if hosts is not None else Path()


def _with(answers: Answers, given: tuple[str, ...]) -> Answers:
    """Return the answers, overridden by those of the command line."""
    pairs = [text.partition("=") for text in given]
    names = questions()
    for question, equals, _ in pairs:
        if not equals:
            raise click.BadParameter(f'"{question}" is not of the form QUESTION=ANSWER', param_hint="--data")
        if question not in names:
            near = did_you_mean(question, names) or f"the questions are: {join_words(names, limit=len(names))}"
            raise click.BadParameter(f'"{question}" is not a question; {near}', param_hint="--data")
    return Answers(known={**answers.known, **{name: text for name, _, text in pairs}}, suggested=answers.suggested)


def _dotenv_beside(source: str) -> Path:
    """Return where a source has its variables, if it is a file."""
    return Path(source).parent / ".env" if Path(source).is_file() else Path(os.devnull)


def _render(result: ScaffoldResult) -> tuple[Path | None, Sequence[Diagnostic]]:
    """Render the new inventory and write its API key; return the key's file, if one was written, and warnings."""
    name_images(result.inventory, generator().render(result.inventory).host.stack.tiers)
    plan = generator().render(result.inventory)
    write_trees([plan])
    variable, folder = _key_variable(plan), plan.host.output
    return folder / ".env" if variable and write_key(folder, variable) else None, plan.host.warnings


def _key_variable(plan: Plan) -> str:
    router = plan.host.stack.router
    return (router.api_key_env if router is not None else None) or ""


def _is_finished(inventory: Path) -> bool:
    """Tell whether an earlier run that made an inventory has come to its end, which is the key."""
    try:
        plan = generator().render(inventory)
        is_written = plan.folder.was_written
    except DiagnosticError:  # its owner has edited it since
        return True
    return is_written and (not _key_variable(plan) or os.path.lexists(plan.host.output / ".env"))
