"""``anvil-gen flags``: the flags of an engine's versions."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.catalog.catalog import catalog_of, shipped_catalog
from anvil_gen.catalog.flag_diff import flag_changes, flags_schema
from anvil_gen.catalog.flag_timeline import FlagTimeline
from anvil_gen.cli import options
from anvil_gen.cli.views.flags import show_changes, show_flag, show_flags
from anvil_gen.cli.views.json_output import print_schema
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, did_you_mean, join_words
from anvil_gen.inventory.fleet import hosts_folder
from anvil_gen.values import canonical_flag


@click.command("flags")
@click.argument("engine")
@click.argument("name", required=False)
@click.option("--version", "version", metavar="V", help="Version of the engine (default: the newest that is known).")
@click.option("--diff", "versions", nargs=2, metavar="V1 V2", help="Show what differs in V2 against V1.")
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of a tier's flags in that version.")
@options.as_json
def command(
    *,
    engine: str,
    name: str | None,
    version: str | None,
    versions: tuple[str, str] | None,
    as_schema: bool,
    as_json: bool,
) -> ExitCode:
    """Show the flags of an engine, of any version that is known.

    With NAME, shows that flag through the versions. Reads nothing but anvil-gen's own data.

    \b
    Examples:
      anvil-gen flags vllm --version 0.20.2
      anvil-gen flags vllm max-num-batched-tokens
      anvil-gen flags vllm --diff 0.11.2 0.33.0
      anvil-gen flags vllm --schema > vllm-flags.schema.json
    """
    if versions is not None and (version is not None or name is not None or as_schema):
        raise click.UsageError("--diff cannot be combined with NAME, --version and --schema")
    title, timeline = _known(engine)
    if versions is not None:
        old, new = (_version(timeline, one) for one in versions)
        show_changes(engine, old, new, list(flag_changes(timeline, old, new)), as_json=as_json)
    elif as_schema:
        print_schema(flags_schema(timeline, _version(timeline, version), title))
    elif name is not None:
        _show_one(engine, timeline, name.lstrip("-"), as_json=as_json)
    else:
        show_flags(engine, timeline, _version(timeline, version), as_json=as_json)
    return ExitCode.OK


def _known(name: str) -> tuple[str, FlagTimeline]:
    hosts = hosts_folder(Path.cwd())
    catalog = catalog_of(hosts.parent) if hosts is not None else shipped_catalog()
    engine = catalog.engine(name)
    if engine is None:
        detail, remedy = catalog.unknown("engines", name)
        raise DiagnosticError([Diagnostic(code="unknown-engine", detail=detail, remedy=remedy)])
    timeline = catalog.flag_timeline(name)
    if timeline is None:
        detail = f"nothing is known of the flags of {engine.title}"
        raise DiagnosticError([Diagnostic(code="unknown-flag", detail=detail)])
    return engine.title, timeline


def _version(timeline: FlagTimeline, version: str | None) -> str:
    """Return a known version: the newest where none is asked for."""
    wanted = timeline.newest if version is None else timeline.newest_of_line(version.removeprefix("v"))
    if wanted not in timeline.versions:
        detail, near = f'"{version}" was not captured', ", ".join(timeline.neighbours(wanted))
        raise DiagnosticError([Diagnostic(code="unknown-version", detail=detail, remedy=f"the nearest: {near}")])
    return wanted


def _show_one(engine: str, timeline: FlagTimeline, name: str, *, as_json: bool) -> None:
    known = timeline.main_name(name) or timeline.main_name(canonical_flag(name))
    if known is None:
        remedy = did_you_mean(name, [*timeline.all_names, *timeline.variables])
        remedy = remedy or f"known versions: {join_words(timeline.versions, limit=5)}"
        detail = f'no version has "{name}"'
        raise DiagnosticError([Diagnostic(code="unknown-flag", detail=detail, remedy=remedy)])
    show_flag(engine, timeline, known, as_json=as_json)
