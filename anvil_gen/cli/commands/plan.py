"""``anvil-gen plan``: show what a change does to hosts, and why."""

from __future__ import annotations

import os
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.deploy.pipeline import collect_all, generator
from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.fleet import all_inventories, find_inventory, only_host, repository_of
from anvil_gen.review.against_ref import against_ref
from anvil_gen.review.host_plan import HostPlan, against_disk

_FORMATS = ("text", "json", "markdown", "github")


@click.command("plan")
@options.hosts
@click.option("--all", "every", is_flag=True, help="Every inventory in hosts/.")
@click.option(
    "--against",
    metavar="disk|REF|live",
    help="The rendered files on disk (default), a git ref, or the running containers.",
)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", help="Output format (default: text).")
@click.option(
    "--pull-request",
    "in_workflow",
    is_flag=True,
    help="In a GitHub workflow: annotate lines, write the job's summary and one comment; a fork's is untrusted.",
)
@click.option("--verify", "verified", is_flag=True, help="Ask Docker Compose whether it would do what is planned.")
@options.untrusted
def command(
    *,
    hosts: tuple[str, ...],
    every: bool,
    against: str | None,
    form: str,
    in_workflow: bool,
    verified: bool,
    untrusted: bool,
) -> ExitCode:
    """Show what a change does to each service, and why.

    Nothing is written. Exits 2 if anything changes.

    Against the files on disk, the changes are those that a render would make; against a git ref, such as the base of a
    pull request, those since then: no checkout is needed. Against `live`, the changes are those that the next `up`
    would make to the running containers.

    With --pull-request, in a workflow of GitHub that a pull request has started, the changes are those of the pull
    request. They are shown at the lines that cause them, in the job's summary, and as one comment that follows the pull
    request; that needs GITHUB_TOKEN. Of a fork, nothing is trusted, and there is no comment.

    \b
    Examples:
      anvil-gen plan fakoli-dark                  what a render would change
      anvil-gen plan --all                        what a new version of anvil-gen changes
      anvil-gen plan --all --against origin/main --format markdown    the comment of a pull request
      anvil-gen plan fakoli-dark --against live   what the next `up` does
    """
    hosts = hosts or (() if every else tuple(only_host(Path.cwd())))
    if every == bool(hosts):
        raise click.UsageError("name at least one HOST, or --all" if not hosts else "name a HOST or --all, not both")
    if against == "":
        raise click.UsageError("--against is empty: name disk, live or a git ref")
    if untrusted and against == "live":
        raise click.UsageError("--untrusted and --against live cannot be combined: containers run what is trusted")
    if verified and against == "live":
        raise click.UsageError("--verify and --against live cannot be combined: that asks Compose already")
    if in_workflow:
        plans = _in_workflow(hosts, every=every, against=against, untrusted=untrusted)
    else:
        below = repository_of(Path.cwd()) if untrusted else None
        plans = _plans(hosts, every=every, against=against or "disk", as_json=form == "json", below=below)
    if verified:
        _verify(plans)
    if not in_workflow:
        _show(plans, form)
    return ExitCode.DIFFERS if any(plan.changes for plan in plans) else ExitCode.OK


def _in_workflow(hosts: tuple[str, ...], *, every: bool, against: str | None, untrusted: bool) -> list[HostPlan]:
    from anvil_gen.cli.pull_request import plan_in_workflow  # noqa: PLC0415  only a workflow needs it
    from anvil_gen.review.pull_request import pull_request  # noqa: PLC0415

    here = Path.cwd()
    pull = pull_request(os.environ)
    below = repository_of(here) if untrusted or pull.is_of_a_fork else None
    base = against or pull.compared_with(here)

    def planned() -> list[HostPlan]:
        return _plans(hosts, every=every, against=base, as_json=False, below=below)

    return plan_in_workflow(planned, pull, os.environ)


def _plans(hosts: tuple[str, ...], *, every: bool, against: str, as_json: bool, below: Path | None) -> list[HostPlan]:
    here = Path.cwd()
    found = all_inventories(here) if every else collect_all(lambda host: find_inventory(host, here), hosts)
    inventories = list({path.absolute(): path for path in found}.values())
    if against == "live":
        from anvil_gen.review.live import against_live  # noqa: PLC0415  only this asks Docker

        return collect_all(against_live, inventories)
    made = generator(below=below)
    plans = made.render_all(inventories)
    show_diagnostics([warning for one in plans for warning in one.host.warnings], as_json=as_json)
    if against == "disk":
        collect_all(lambda one: one.files, plans)
        return against_disk(plans, made)
    return against_ref(plans, made, against, every=every, trusted=below is None)


def _verify(plans: list[HostPlan]) -> None:
    """Report on how many services Docker Compose agrees.

    Raises:
        DiagnosticError: it does not, or there is none.
    """
    from anvil_gen.review.verify import verify  # noqa: PLC0415  only this asks Compose

    click.echo(f"verified: Docker Compose would do the same to {verify(plans)} services", err=True)


def _show(plans: list[HostPlan], form: str) -> None:
    from anvil_gen.cli.views import plan as view  # noqa: PLC0415

    if form == "markdown":
        from anvil_gen.cli.views.plan_markdown import comment  # noqa: PLC0415

        click.echo(comment(plans), nl=False)
    else:
        {"text": view.show_text, "json": view.show_json, "github": view.show_annotations}[form](plans)
