"""``anvil-gen import``: make an inventory of what runs already, and prove that nothing changed."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from msgspec.structs import replace

from anvil_gen.cli.views.import_result import show_result
from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import ExitCode
from anvil_gen.importing.run import Kind, Request

_KINDS = ("compose", "run", "inspect", "live")


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--from",
    "kind",
    type=click.Choice(_KINDS),
    help="Kind of the source (default: what it looks like); `live` takes the name of a running project.",
)
@click.option("--name", metavar="HOST", help="Name of the host (default: the file's, or the project's).")
@click.option("--output", type=click.Path(dir_okay=False), help="File to write the inventory to (default: stdout).")
@click.option("--force", is_flag=True, help="Overwrite the file of --output.")
@click.option("--detect", is_flag=True, help="Ask this host for its GPUs: UUIDs instead of numbers, and memory.")
@click.option("--adopt", is_flag=True, help="Take the defaults that the source lacks; without it, they are listed.")
def command(
    *,
    sources: tuple[str, ...],
    kind: Kind | None,
    name: str | None,
    output: str | None,
    force: bool,
    detect: bool,
    adopt: bool,
) -> ExitCode:
    """Make an inventory of what runs already, with the proof.

    Shows, key by key, that nothing changes for what runs.

    FILE is a compose file, or one with `docker run` or `podman run` lines, or with what `docker inspect` prints; `-` is
    standard input. Several compose files are merged in their order, as Compose merges them. The inventory goes to
    standard output or to a file, all findings to standard error. Nothing is fetched, and nothing that runs is touched.

    Docker Compose reads the source and what the inventory renders to, once with the variables' defaults and once with
    another value for each. Exits 0 if it reads the same, 2 if anything differs (each difference is printed), and 3
    where no Docker Compose is at hand, so that nothing is proved.

    \b
    Examples:
      anvil-gen import docker-compose.yml                            print the inventory
      anvil-gen import docker-compose.yml --output hosts/box.toml    write it
      anvil-gen import a.yml b.yml                                   as docker compose -f a.yml -f b.yml
      anvil-gen import start-vllm.sh                                 the run lines of a script
      docker inspect vllm | anvil-gen import -                       a container
      anvil-gen import --from live my-project                        the containers of a project that runs
      anvil-gen import compose.yml --adopt --detect                  with health checks, log rotation, UUIDs, a router
    """
    from anvil_gen.importing.run import run_import  # noqa: PLC0415

    _check(sources, output, force=force)
    request = Request(
        sources=sources,
        text=sys.stdin.read() if sources == ("-",) and kind != "live" else None,
        kind=kind,
        name=name,
        output=None if output is None else Path(output),
        adopt=adopt,
    )
    result = run_import(_with_gpus(request) if detect else request, generator())
    if output is None:
        click.echo(result.imported.text, nl=False)
    else:
        _write(Path(output), result.imported.text)
    return show_result(result, output)


def _check(sources: tuple[str, ...], output: str | None, *, force: bool) -> None:
    if "-" in sources and len(sources) > 1:
        raise click.UsageError("standard input is a source of its own: name either - or files")
    if output is not None and Path(output).exists() and not force:
        raise click.UsageError(f"{output} is there already: name another file, or --force")


def _with_gpus(request: Request) -> Request:
    """Return a request with the UUIDs of this host's GPUs, and what else is known of each."""
    from anvil_gen.catalog.catalog import shipped_catalog  # noqa: PLC0415
    from anvil_gen.importing.engine_facts import usual_vendor  # noqa: PLC0415
    from anvil_gen.importing.service_gpus import facts_of  # noqa: PLC0415
    from anvil_gen.machine.gpus import list_gpus  # noqa: PLC0415

    catalog = shipped_catalog()
    listing = list_gpus(catalog.defaults["gpu"]["vendor"], usual_vendor(catalog))
    if not listing.gpus:
        raise click.UsageError(f"--detect: {listing.diagnostic or 'this host has no GPU'}")
    uuids = {gpu.index: gpu.uuid for gpu in listing.gpus}
    facts = {gpu.uuid: facts_of(gpu, gpu.memory_mib) for gpu in listing.gpus}
    return replace(request, known_gpus=uuids, gpu_facts=facts)


def _write(file: Path, text: str) -> None:
    from anvil_gen.deploy.atomic_write import write_file  # noqa: PLC0415

    write_file(file, file.read_bytes() if file.is_file() else None, text.encode())
