"""Downloads of weights: how far they are, how fast, how long it still takes; and what came."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.operate.readiness import duration

if TYPE_CHECKING:
    from anvil_gen.pin.fetch import Download, Unfetched  # which needs an extra

_GIB = 1 << 30
_MIB = 1 << 20
_EVERY_SECONDS = 0.5
_EVERY_PERCENT = 10
_CLEAR = "\r\x1b[K"


class FetchDisplay:
    """The progress of downloads on stderr: a line that is redrawn on a terminal, else one for each ten percent."""

    def __init__(
        self, downloads: Sequence[Download], *, quiet: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with what is there already."""
        self._total = sum(one.size for one in downloads)
        self._done = self._there = sum(one.there for one in downloads)
        self._quiet, self._clock, self._start = quiet, clock, clock()
        self._redraws = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = self._start - _EVERY_SECONDS
        self._percent = 100 * self._done // self._total if self._total else 100

    def advance(self, download: Download) -> Callable[[int], None]:
        """Return what is told of the bytes of a download."""

        def advance(number: int) -> None:
            self._done += number
            self._draw(download.wanted.repo)

        return advance

    def line(self, repo: str) -> str:
        """Return how far it is: bytes, percent, rate, and the time that is left."""
        rate = (self._done - self._there) / max(self._clock() - self._start, 1e-3)
        rest = f", {duration((self._total - self._done) / rate)} left" if rate > 0 else ""
        percent = 100 * self._done // self._total if self._total else 100
        amount = f"{self._done / _GIB:.1f} of {self._total / _GIB:.1f} GiB"
        return f"{repo}  {percent}%  {amount}  {rate / _MIB:.1f} MiB/s{rest}"

    def _draw(self, repo: str) -> None:
        now = self._clock()
        if self._quiet:
            return
        if self._redraws and now - self._drawn >= _EVERY_SECONDS:
            self._drawn = now
            click.echo(f"{_CLEAR}{self.line(repo)}", nl=False, err=True)
        percent = 100 * self._done // self._total if self._total else 100
        if not self._redraws and percent // _EVERY_PERCENT > self._percent // _EVERY_PERCENT:
            self._percent = percent
            click.echo(self.line(repo), err=True)

    def close(self) -> None:
        """Leave the line."""
        if self._redraws and not self._quiet:
            click.echo(_CLEAR, nl=False, err=True)


def show_fetched(
    host: str, downloads: Sequence[Download], unfetched: Sequence[Unfetched], *, dry_run: bool, as_json: bool
) -> None:
    """Print what came, or what would come, and what did not."""
    if as_json:
        print_json(
            host=host,
            fetched=not dry_run,
            downloads=[_download_json(one) for one in downloads],
            not_fetched=[_unfetched_json(one) for one in unfetched],
        )
        return
    for one in downloads:
        missing = one.size - one.there
        state = f"{missing / _GIB:.1f} GiB to download" if missing else "complete"
        amount = f"{len(one.files)} files, {one.size / _GIB:.1f} GiB"
        click.echo(f"{one.wanted.owner}: {one.wanted.repo}@{one.commit[:12]}, {amount}: {state}")
    for skipped in unfetched:
        click.echo(f"{skipped.tier}: not fetched: {skipped.why}")
        if skipped.command:
            click.echo(f"    {skipped.command}")


def _unfetched_json(one: Unfetched) -> dict[str, str]:
    command = {"command": one.command} if one.command else {}
    return {"tier": one.tier, "reason": one.why, **command}


def _download_json(one: Download) -> dict[str, object]:
    return {
        "tier": one.wanted.owner,
        "repo": one.wanted.repo,
        "commit": one.commit,
        "bytes": one.size,
        "bytes_there": one.there,
        "files": [file.name for file in one.files],
        "folder": str(one.cache or one.folder),
    }
