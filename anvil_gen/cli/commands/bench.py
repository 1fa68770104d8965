"""``anvil-gen bench``: put a short load on a tier."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.bench import bench_json, show_level, show_result
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, did_you_mean, join_words
from anvil_gen.machine.chat_stream import stream_chat
from anvil_gen.machine.dotenv import variables
from anvil_gen.operate.bench import bench, keep, last_of
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.render.client_snippets import Endpoint, endpoints_of
from anvil_gen.resolve.model import Mode, Tier

_USUAL, _MOST = 8, 64


@click.command("bench", cls=HostCommand)
@options.host
@click.argument("tier", shell_complete=options.completing("tiers"))
@click.option("--at-once", type=click.IntRange(1, _MOST), help="Most requests at once (default: twice max_sequences).")
@options.mode
@options.as_json
def command(*, host: str, tier: str, at_once: int | None, mode: str | None, as_json: bool) -> ExitCode:
    """Put a short load on a tier, through the router.

    Sends chat requests of fixed length that no cache has seen, first alone, then 2, 4 and so on at once: how soon an
    answer begins, how fast it goes on, and from when on more at once is no faster. Adds a line to
    hosts/HOST.bench.jsonl, and compares with the last one. Others that use the tier meanwhile share the numbers.

    \b
    Examples:
      anvil-gen bench fakoli-dark fast
      anvil-gen bench lab-quad chat --at-once 32
    """
    deployment = open_deployment(host, Path.cwd())
    chosen = deployment.mode(mode)
    found = _tier(chosen, tier)
    endpoint = _endpoint(deployment.host.name, chosen, found)
    key = _key(endpoint, deployment.project.folder)
    last = last_of(deployment.host.path, found.name)
    ask = partial(stream_chat, endpoint.base_url, key)
    told = (lambda _: None) if as_json else show_level
    run = bench(found.name, found.served_name, at_once or _most(found), ask, told=told, host=deployment.host.name)
    file = keep(deployment.host.path, run)
    if as_json:
        bench_json(deployment.host.name, run, last)
    else:
        show_result(run, last, file)
    return ExitCode.OK


def _most(tier: Tier) -> int:
    """Return how many requests at once show where a tier stops scaling."""
    sequences = tier.options.max_sequences
    return min(2 * sequences, _MOST) if isinstance(sequences, int) else _USUAL


def _key(endpoint: Endpoint, folder: Path) -> str:
    """Return the key to send; empty where none is asked for.

    Raises:
        DiagnosticError: only clients have their keys.
    """
    key = variables(folder).get(endpoint.key or "", "")
    if endpoint.by_digest and not key:
        detail = f"{endpoint.name} has the digests of its clients' keys alone"
        remedy = f"give one's key in ${endpoint.key}, or name the variable of one in api_key_env of [router]"
        raise DiagnosticError([Diagnostic(code="bench-cannot-run", detail=detail, remedy=remedy)])
    return key


def _tier(mode: Mode, name: str) -> Tier:
    chat = {tier.name: tier for tier in mode.tiers if tier.task == "chat" and not tier.replica_of}
    if name in chat:
        return chat[name]
    detail = f'"{name}" is not a tier of the mode "{mode.title}" that chats (there: {join_words(chat) or "none"})'
    remedy = did_you_mean(name, chat) or "name one of them"
    raise DiagnosticError([Diagnostic(code="unknown-tier", detail=detail, remedy=remedy)])


def _endpoint(host: str, mode: Mode, tier: Tier) -> Endpoint:
    """Return where a tier is reached: at the router, else at its own port."""
    found = endpoints_of(host, mode)
    return next((one for one in found if tier.served_name in [model.name for model in one.models]), found[0])
