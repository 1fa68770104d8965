"""``anvil-gen fetch``: download weights before a start."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.commands.fit import chosen_tiers
from anvil_gen.cli.extras import require_extra
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.fetch import FetchDisplay, show_fetched
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment


@click.command("fetch", cls=HostCommand)
@options.host
@options.tiers
@click.option("--from", "source", metavar="REPO", help="Repository that the folder or file of the one TIER comes from.")
@click.option("--dry-run", is_flag=True, help="Show what would be downloaded, and download nothing.")
@options.as_json
def command(*, host: str, tiers: tuple[str, ...], source: str | None, dry_run: bool, as_json: bool) -> ExitCode:
    """Download the weights that tiers of a host need.

    They go where the tiers look: into the Hugging Face cache of [hfcache], in the layout of their engine; with --from,
    into the folder of models. Only the files that the engine reads are downloaded, at the revision that the lock holds.
    What is there already is not downloaded again, and what was interrupted goes on where it stopped. The room on the
    disk is checked first.

    \b
    Examples:
      anvil-gen fetch fakoli-dark                all that its tiers name
      anvil-gen fetch fakoli-dark fast --dry-run
      anvil-gen fetch fakoli-dark heavy --from org/name-AWQ     model = { path = "name" }
    """
    if source is not None and len(tiers) != 1:
        raise click.UsageError("--from goes with one TIER")
    require_extra("pin")
    from anvil_gen.pin.fetch import check_disks, fetch, plan_downloads  # noqa: PLC0415  what asks the network
    from anvil_gen.pin.hub import Hub  # noqa: PLC0415
    from anvil_gen.pin.pins import hub_token  # noqa: PLC0415

    found = open_deployment(host, Path.cwd()).host
    hub = Hub(hub_token(found))
    downloads, unfetched = plan_downloads(found, chosen_tiers(found.stack, tiers), hub, source=source)
    check_disks(downloads)
    display = FetchDisplay(downloads, quiet=as_json or dry_run)
    for download in () if dry_run else downloads:
        fetch(found, download, hub, display.advance(download))
    display.close()
    show_fetched(found.name, downloads, unfetched, dry_run=dry_run, as_json=as_json)
    return ExitCode.OK
