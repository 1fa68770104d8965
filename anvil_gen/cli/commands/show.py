"""``anvil-gen show``: draw a host."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anvil_gen.cli import options
from anvil_gen.diagnostics import ExitCode
from anvil_gen.fit.host_fit import host_fit
from anvil_gen.inventory.fleet import all_inventories, only_host
from anvil_gen.operate.deployment import Deployment, open_deployment

if TYPE_CHECKING:
    from anvil_gen.cli.views.show.picture import Picture
    from anvil_gen.resolve.host import Host

_FORMATS = ("text", "svg", "html", "mermaid", "json")


@click.command("show")
@click.argument("host", required=False, shell_complete=options.completing("hosts"))
@click.option("--all", "every", is_flag=True, help="Show every host of hosts/.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", help="Form of the picture.")
@click.option("--live", is_flag=True, help="Colour by what runs: asks Docker.")
def command(*, host: str | None, every: bool, form: str, live: bool) -> ExitCode:
    """Draw a host: what is on which GPU, and which name leads where.

    Draws from the inventory and its locks alone; sizes are those of `fit`, as far as they are known without the models.
    An HTML page or an SVG image is complete in itself: it loads nothing.

    \b
    Examples:
      anvil-gen show lab-quad
      anvil-gen show --all --format html > fleet.html
      anvil-gen show lab-quad --format svg > lab-quad.svg
      anvil-gen show lab-quad --live
    """
    here = Path.cwd()
    named = [host] if host is not None else [] if every else only_host(here)
    if every == bool(named):
        raise click.UsageError("name a HOST, or --all")
    names = [str(path) for path in all_inventories(here)] if every else named
    deployments = [open_deployment(name, here) for name in names]
    pictures = [_picture(deployment.host) for deployment in deployments]
    _print(_live(pictures, deployments) if live else pictures, form)
    return ExitCode.OK


def _picture(host: Host) -> Picture:
    from anvil_gen.cli.views.show.picture import picture_of  # noqa: PLC0415  asked for after the hosts are known

    return picture_of(host.stack, host.catalog, host_fit(host, (), None))


def _live(pictures: list[Picture], deployments: list[Deployment]) -> list[Picture]:
    """Return pictures with what runs; of a host that does not answer, that is said on stderr, and nothing runs."""
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415  only this asks Docker
    from anvil_gen.cli.views.show.picture import with_states  # noqa: PLC0415
    from anvil_gen.operate.statuses import statuses  # noqa: PLC0415

    answers = statuses(deployments)
    for answer in answers:
        show_diagnostics(answer.diagnostics, as_json=False)
    return [with_states(picture, answer.states) for picture, answer in zip(pictures, answers, strict=True)]


def _print(pictures: list[Picture], form: str) -> None:
    """Print pictures; each form is imported where it is the one."""
    if form == "text":
        from anvil_gen.cli.views.show.text import host_lines  # noqa: PLC0415

        width = shutil.get_terminal_size((100, 24)).columns
        click.echo("\n\n".join("\n".join(host_lines(picture, width)) for picture in pictures))
    elif form == "svg":
        from anvil_gen.cli.views.show.svg import svg_image  # noqa: PLC0415

        click.echo(svg_image(pictures))
    elif form == "html":
        from anvil_gen.cli.views.show.html import html_page  # noqa: PLC0415

        click.echo(html_page(pictures))
    elif form == "mermaid":
        from anvil_gen.cli.views.show.mermaid import mermaid_chart  # noqa: PLC0415

        click.echo(mermaid_chart(pictures))
    else:
        import msgspec  # noqa: PLC0415

        from anvil_gen.cli.views.json_output import print_json  # noqa: PLC0415

        print_json(hosts=[msgspec.to_builtins(picture) for picture in pictures])
