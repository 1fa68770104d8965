"""What `bench` has measured."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import display_path
from anvil_gen.operate.bench import Bench, Level

_HEAD = f"{'at once':>7}  {'first token':>11}  {'tokens/s':>9}  {'tokens/s each':>13}"


def show_level(level: Level) -> None:
    """Print a level, the first one below the head of the table."""
    if level.at_once == 1:
        click.echo(click.style(_HEAD, bold=True))
    errors = f"  {level.errors} failed" if level.errors else ""
    first = f"{level.first_token * 1000:,.0f} ms"
    click.echo(
        f"{level.at_once:>7}  {first:>11}  {level.tokens_per_second:>9,.1f}  {level.per_request:>13,.1f}{errors}"
    )


def show_result(run: Bench, last: Bench | None, file: Path) -> None:
    """Print what follows from a run, compared with the last one."""
    best = max(level.tokens_per_second for level in run.levels)
    click.echo(f"\n{run.tier}: {best:,.1f} tokens/s at most; it scales to {run.scales_to} at once")
    if last is not None:
        click.echo(f"since {last.time}: {_compared(run, last)}")
    click.echo(f"kept in {display_path(file)}")


def _compared(run: Bench, last: Bench) -> str:
    if (run.model, run.prompt_words, run.answer_tokens) != (last.model, last.prompt_words, last.answer_tokens):
        return "another model or other lengths: not compared"
    before = {level.at_once: level for level in last.levels}
    both = [(level, before[level.at_once]) for level in run.levels if level.at_once in before]
    parts = [
        f"{new.at_once} at once {100 * (new.tokens_per_second / old.tokens_per_second - 1):+.0f}%"
        for new, old in both
        if old.tokens_per_second
    ]
    return ", ".join(parts) + " tokens/s" if parts else "nothing in common"


def bench_json(host: str, run: Bench, last: Bench | None) -> None:
    """Print a run and the last one as JSON."""
    print_json(host=host, **msgspec.to_builtins(run), last=None if last is None else msgspec.to_builtins(last))
