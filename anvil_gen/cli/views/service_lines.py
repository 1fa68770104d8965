"""What happens to services, or has happened: a line for each, and below it what changes and why.

`plan`, `render`, `up` and `status` all print this, so that one reads what is planned and what was done alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import click
from msgspec import Struct

from anvil_gen.cli.views.changes import place_of, texts_of
from anvil_gen.deploy.compose_diff import Change
from anvil_gen.deploy.consequence import Consequence

_COLOURS = {Consequence.RECREATE: "yellow", Consequence.STOP: "red", Consequence.START: "green"}
_TROUBLE = "!"
"""The symbol of what is no consequence of the files: somebody has to look."""


class Entry(Struct, frozen=True, kw_only=True):
    """A service with what happens to it: ``word`` and ``note`` say what that is, ``lines`` what changes of it."""

    service: str
    consequence: Consequence | None
    word: str
    note: str = ""
    lines: tuple[str, ...] = ()


def entry_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of services, in columns: ``~ fast  recreate (away until its new container is ready)``."""
    width = max((len(one.service) for one in entries), default=0)
    for one in entries:
        symbol = _TROUBLE if one.consequence is None else one.consequence.wording.symbol
        words = (click.style(one.word, fg=_colour(one)) if one.word else "", f"({one.note})" if one.note else "")
        yield f"{symbol} {one.service:{width}}  {' '.join(filter(None, words))}"
        yield from (f"    {line}" for line in one.lines)


def _colour(one: Entry) -> str | None:
    return "red" if one.consequence is None else _COLOURS.get(one.consequence)


def changed_lines(changes: Iterable[Change], told: Collection[tuple[str, int | None, str]] = ()) -> Iterator[str]:
    """Yield what changes of a service, each with its place: ``port 1 -> 2 (--port)  hosts/box.toml:12``."""
    for text, cause in texts_of(changes, told):
        yield text if cause is None else f"{text}  {click.style(place_of(cause), dim=True)}"
