"""``anvil-gen init``: a fleet for this machine, or this machine for a fleet."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.cli import options
from anvil_gen.cli.views.init import JsonView, TextView, View
from anvil_gen.deploy.pipeline import generator, plan, write_trees
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, did_you_mean, display_path, join_words
from anvil_gen.inventory.fleet import hosts_folder
from anvil_gen.machine.docker import Docker
from anvil_gen.onboard.copier_answers import Answers, answers_of
from anvil_gen.onboard.detect import detect, machine_of
from anvil_gen.onboard.post_setup import make_repository, make_volume, missing_volume, write_key
from anvil_gen.onboard.prerequisites import missing_prerequisites
from anvil_gen.onboard.scaffold import AbortedError, PostSetup, ScaffoldResult, questions, scaffold
from anvil_gen.onboard.template_source import source_of

_ROUTER_PORT = 8000
_FIRST_PORT = 30000


@click.command("init")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False))
@click.option("--yes", is_flag=True, help="Ask nothing: take what was found, and defaults for the rest.")
@click.option(
    "--data", "-d", "given", metavar="QUESTION=ANSWER", multiple=True, help="Answer a question of docs/onboarding.md."
)
@click.option("--context", metavar="NAME", help="The Docker context of the machine, instead of the current one.")
@options.as_json
def command(*, folder: str | None, yes: bool, given: tuple[str, ...], context: str | None, as_json: bool) -> ExitCode:
    """Lay down a fleet for this machine, or add it to one.

    The fleet is in DIR, or will be; without DIR it is the one around the working folder, or a new one here. Looks for
    the machine's cards, memory, Docker engine, models and free ports, shows what it found, and asks the rest. Then it
    renders, and says how to go on. Files that are there already are kept.

    \b
    Examples:
      anvil-gen init my-fleet                      a new fleet, with this machine
      anvil-gen init                               one more machine, in the fleet's folder
      anvil-gen init my-fleet --yes -d preset=chat asks nothing
    """
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: it takes --yes")
    view: View = JsonView() if as_json else TextView()
    catalog = Catalog()
    at = machine_of(Docker(context))
    found = detect(catalog, at, router_port=_ROUTER_PORT, first_port=_FIRST_PORT)
    lacks = missing_prerequisites(found, catalog, at)
    view.found(found, lacks)
    answers = _with(answers_of(found, context=context), given)
    if not yes and not sys.stdin.isatty():
        raise DiagnosticError([_NO_TERMINAL])
    try:
        laid_down = scaffold(_fleet(folder), answers, source_of(), ask=not yes, check=generator().render)
    except AbortedError:
        raise click.Abort from None
    repository = make_repository(laid_down.folder)
    key = _render(laid_down)
    volume = missing_volume(laid_down, found)
    made = volume if volume and make_volume(volume, found, at) else ""
    steps = PostSetup(repository=repository, key=key, volume=made, missing_volume="" if made else volume)
    view.laid_down(laid_down, steps)
    return ExitCode.OK


_NO_TERMINAL = Diagnostic(
    summary="no terminal to ask on",
    detail="what was found above needs a few answers",
    remedy="to take defaults for them:\n\n    anvil-gen init --yes",
)


def _fleet(folder: str | None) -> Path:
    """Return the folder of the fleet: the one that is named, or around the working folder, or that itself."""
    if folder is not None:
        return Path(folder)
    hosts = hosts_folder(Path.cwd())
    return Path(display_path(hosts.parent)) if hosts is not None else Path()


def _with(answers: Answers, given: tuple[str, ...]) -> Answers:
    """Return the answers with those of the command line, which come first."""
    pairs = [text.partition("=") for text in given]
    names = questions()
    for question, equals, _ in pairs:
        if not equals:
            raise click.BadParameter(f'"{question}" is no QUESTION=ANSWER', param_hint="--data")
        if question not in names:
            near = did_you_mean(question, names) or f"they are: {join_words(names, limit=len(names))}"
            raise click.BadParameter(f'"{question}" is no question; {near}', param_hint="--data")
    return Answers(known={**answers.known, **{name: text for name, _, text in pairs}}, suggested=answers.suggested)


def _render(laid_down: ScaffoldResult) -> Path | None:
    """Render the new inventory, and give it a key; return the file of the key, or None where there is no new one."""
    rendered = generator().render(laid_down.inventory)
    write_trees([plan(rendered)])
    variable = str(laid_down.answers.get("api_key_env") or "")
    has_key = laid_down.answers.get("router") != "none" and variable != ""
    return rendered.output / ".env" if has_key and write_key(rendered.output, variable) else None
