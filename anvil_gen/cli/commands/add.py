"""``anvil-gen add``: add a model to an inventory as a tier."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.commands.fit import hub_asker
from anvil_gen.cli.confirm import refuse_without_prompt
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.add import show_added, show_addition
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.review.addition import addition_of, wish_of


@click.command("add", cls=HostCommand)
@options.host
@click.argument("model")
@click.option("--gpu", "gpus", metavar="NAME", multiple=True, help="GPU to use; several times for several together.")
@click.option("--engine", metavar="ENGINE", help="Engine (default: the one that serves such a model best).")
@click.option("--context", type=click.IntRange(min=1), help="Tokens of a request (default: the most that is sensible).")
@click.option("--name", metavar="NAME", help="Name of the tier (default: the model's).")
@click.option("--standby", is_flag=True, help="Leave the tier out of the default mode: it may use any GPU.")
@click.option("--yes", is_flag=True, help="Write without asking for confirmation.")
@options.as_json
def command(
    *,
    host: str,
    model: str,
    gpus: tuple[str, ...],
    engine: str | None,
    context: int | None,
    name: str | None,
    standby: bool,
    yes: bool,
    as_json: bool,
) -> ExitCode:
    """Add a model to a host's inventory as a tier.

    MODEL is a repository of the Hugging Face Hub, or a GGUF file or folder in the host's folder of models. Finds what
    the model is, an engine that serves it, GPUs that take it next to what is there, the longest sensible context, and
    the flags that it needs. Shows the tier, what it takes and what a render would change, and writes the inventory once
    you confirm; the rest of the file is kept as it is. Nothing is downloaded, rendered or started.

    \b
    Examples:
      anvil-gen add fakoli-dark Qwen/Qwen3-8B
      anvil-gen add lab-quad qwen3-8b-q4_k_m.gguf --gpu a --context 32768
      anvil-gen add lab-quad BAAI/bge-m3 --name embed --yes
    """
    found = open_deployment(host, Path.cwd()).host
    if not yes and as_json:
        refuse_without_prompt(as_json=True)
    wish = wish_of(found, model, gpus=gpus, engine=engine, context=context, standby=standby)
    addition = addition_of(found, wish, hub_asker(found.catalog), generator(), name=name)
    show_diagnostics(addition.warnings, as_json=as_json)
    if not as_json:
        show_addition(addition)
    if not yes:
        refuse_without_prompt(as_json=False)
    if not yes and not click.confirm(f"write this to {addition.added.change.path}?", err=True):
        click.echo("nothing was written", err=True)
        return ExitCode.ERROR
    addition.added.write()
    show_added(addition, as_json=as_json)
    return ExitCode.OK
