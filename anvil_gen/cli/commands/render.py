"""``anvil-gen render``: render inventories into deploy trees."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.cli.views.render import JsonView, TextView, View
from anvil_gen.deploy.pipeline import collect_all, generator, write_trees
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.inventory.fleet import all_inventories, find_inventory, only_host, repository_of

_STDOUT_AND_JSON = "--stdout and --json cannot be combined"


@click.command("render")
@options.hosts
@click.option("--all", "every", is_flag=True, help="Render every inventory in hosts/.")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 with a diff if files on disk differ.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Write nothing; print the rendered files.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(),
    help="Folder to render into (default: the output folder of the inventory).",
)
@click.option(
    "--target",
    metavar="NAME",
    help="Render for this: compose, or kubernetes or quadlet into NAME/ of the output folder (default: [host] target).",
)
@click.option("--force", is_flag=True, help="Overwrite manually edited files.")
@options.untrusted
@options.as_json
def command(
    *,
    hosts: tuple[str, ...],
    every: bool,
    check: bool,
    to_stdout: bool,
    output: str | None,
    target: str | None,
    force: bool,
    untrusted: bool,
    as_json: bool,
) -> ExitCode:
    """Render inventories into deploy trees.

    HOST is the path of an inventory, or the name of one in hosts/. All inventories are read and all files verified
    before the first file is written: if any of them has an error, nothing changes.

    \b
    Examples:
      anvil-gen render hosts/fakoli-dark.toml    select the inventory by path
      anvil-gen render fakoli-dark               select the inventory by name
      anvil-gen render --all --check             in CI: exit 2 with a diff if a tree is out of date
      anvil-gen render fakoli-dark --stdout      print the files without writing them
      anvil-gen render lab-quad --target kubernetes --output k8s    manifests; then: kubectl apply -k k8s
    """
    hosts = hosts or (() if every else tuple(only_host(Path.cwd())))
    _check_hosts(hosts, output, every=every, target=target)
    if output == "":
        raise click.UsageError("--output is empty: name a folder")
    if to_stdout and (check or as_json):
        raise click.UsageError("--check and --stdout cannot be combined" if check else _STDOUT_AND_JSON)
    inventories = _inventories(hosts, every=every)
    below = repository_of(Path.cwd()) if untrusted else None
    folder = Path(output) if output is not None else None
    made = generator(below=below)
    plans = made.render_all(inventories, output=folder, target=target)
    show_diagnostics(_warnings(plans), as_json=as_json)
    if to_stdout:
        _print_trees(plans)
        return ExitCode.OK
    view: View = JsonView() if as_json else TextView(made)
    collect_all(lambda one: one.files, plans)
    if check:
        view.checked(plans)
        return ExitCode.DIFFERS if any(one.files for one in plans) else ExitCode.OK
    return _show(view, write_trees(plans, force=force))


def _warnings(plans: Sequence[Plan]) -> list[Diagnostic]:
    """Return the warnings of all hosts; of a group, each of its hosts has the same."""
    return [*dict.fromkeys(warning for one in plans for warning in one.host.warnings)]


def _inventories(hosts: tuple[str, ...], *, every: bool) -> list[Path]:
    here = Path.cwd()
    found = all_inventories(here) if every else collect_all(lambda host: find_inventory(host, here), hosts)
    # A host may be named twice, by its name and by its path.
    return list({path.absolute(): path for path in found}.values())


def _check_hosts(hosts: tuple[str, ...], output: str | None, *, every: bool, target: str | None) -> None:
    if every == bool(hosts):
        raise click.UsageError("name at least one HOST, or --all" if not hosts else "name a HOST or --all, not both")
    if output is not None and not target and (every or len(hosts) > 1):
        raise click.UsageError("--output takes a single HOST: each host has its own folder")


def _show(view: View, written: Sequence[Plan]) -> ExitCode:
    """Print what was written; where that cannot be printed, report at least that it was."""
    try:
        view.written(written)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as `| head` does
        raise
    except OSError as error:
        click.echo(f"error: cannot write the output: {error.strerror}; the rendered files were written", err=True)
        return ExitCode.ERROR
    return ExitCode.OK


def _print_trees(plans: Sequence[Plan]) -> None:
    for one in plans:
        for path, text in one.tree.files.items():
            click.echo(f"==> {path if len(plans) == 1 else f'{one.title}/{path}'} <==")
            click.echo(text)
