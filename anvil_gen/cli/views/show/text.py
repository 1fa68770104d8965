"""The picture of a host on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

import click

from anvil_gen.cli.views.show.picture import GpuBar, Picture, TierBox, gib_text

_COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_red", "bright_cyan", "bright_magenta")
STATES = {"healthy": "green", "running": "green", "starting": "yellow", "restarting": "red", "unhealthy": "red"}
_FILL = {"weights": "█", "overhead": "█", "cache": "▒", "share": "▓", "reserved": "/", "free": "·"}
_WIDEST_BAR, _NARROWEST_BAR, _NARROWEST_TEXT = 56, 8, 24
_GAP = "  "
_LEGEND = "█ weights  ▒ KV cache  · free"


def host_lines(picture: Picture, width: int) -> Iterator[str]:
    """Yield the lines of a host, none of which is wider than ``width`` but for a word that is."""
    yield click.style(picture.host, bold=True) + f"  {picture.summary}"
    if picture.gpus:
        yield ""
        yield from _gpus(picture, width)
    if picture.tiers:
        yield ""
        yield from _tiers(picture, width)
    for section in (_router(picture, width), _hosts(picture, width), _others(picture, width)):
        lines = list(section)
        yield from ["", *lines] if lines else []


def _style(picture: Picture, tier: str, text: str) -> str:
    """Return a tier's text in its colour; in the colour of its state, where what runs is known."""
    box = picture.tier(tier)
    if box is None:
        return click.style(text, dim=True)
    if picture.is_live:
        return click.style(text, fg=STATES.get(box.state), dim=None if box.state in STATES else True)
    return click.style(text, fg=_COLOURS[picture.colours[tier] % len(_COLOURS)])


def _gpus(picture: Picture, width: int) -> Iterator[str]:
    default = picture.modes[0]
    heads = [bar.gpu if bar.mode == default else f"{_GAP}in {bar.mode}" for bar in picture.gpus]
    sizes = [gib_text(bar.memory) if bar.mode == default else "" for bar in picture.gpus]
    left, middle = max(map(len, heads)), max(map(len, sizes))
    room = width - left - middle - 2 * len(_GAP)
    cells = max(_NARROWEST_BAR, min(_WIDEST_BAR, room - len(_GAP)))
    for bar, head, memory in zip(picture.gpus, heads, sizes, strict=True):
        begin = f"{click.style(head.ljust(left), bold=bar.mode == default)}{_GAP}{memory:>{middle}}{_GAP}"
        yield begin + "".join(_style(picture, *part) for part in _cells(bar, cells))
        yield from _said(bar, left + middle + 2 * len(_GAP), width)
    if any(segment.kind == "cache" for bar in picture.gpus for segment in bar.segments):
        indent = left + middle + 2 * len(_GAP)
        yield f"{'':{indent if indent + len(_LEGEND) <= width else len(_GAP)}}{_LEGEND}"


def _cells(bar: GpuBar, cells: int) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a bar, each with its tier; a tier's first piece begins with its name."""
    ends = [round(end) for end in bar.ends(cells)]
    named: set[str] = set()
    for segment, start, end in zip(bar.segments, [0, *ends], ends, strict=False):
        fill = "?" if segment.size is None else _FILL[segment.kind]
        name = segment.tier if segment.tier not in named else ""
        if end - start >= len(name):
            named.add(segment.tier)
        else:
            name = ""
        yield segment.tier, name + fill * (end - start - len(name))
    if ends and ends[-1] < cells:
        yield "", _FILL["free"] * (cells - ends[-1])


def _said(bar: GpuBar, indent: int, width: int) -> Iterator[str]:
    """Yield what a bar shows, in words."""
    own = " " * (indent if width - indent >= _NARROWEST_TEXT * 2 else len(_GAP))
    yield from textwrap.wrap(bar.words, width, initial_indent=own, subsequent_indent=own)


def _tiers(picture: Picture, width: int) -> Iterator[str]:
    head = ("tier", *(("state",) if picture.is_live else ()), "engine", "model", "GPUs", "address", "group", "modes")
    rows = [_row(picture, tier) for tier in picture.tiers]
    return table(head, rows, width, lambda name: _style(picture, name, name))


def _row(picture: Picture, tier: TierBox) -> tuple[str, ...]:
    modes = "" if tier.modes == picture.modes else ", ".join(tier.modes) or "standby"
    state = (tier.state,) if picture.is_live else ()
    place = (", ".join(tier.gpus), tier.address or "no port", tier.rank)
    return (tier.name, *state, tier.engine, tier.model, *place, modes)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, styled: Callable[[str], str]
) -> Iterator[str]:
    """Yield a table; where it is wider than the terminal, each row as a list. Columns without a word are left out."""
    used = [place for place in range(len(head)) if any(row[place] for row in rows)]
    widths = {place: max(len(head[place]), *(len(row[place]) for row in rows)) for place in used}
    if sum(widths.values()) + len(_GAP) * (len(used) - 1) > width:
        yield from _lists([head[place] for place in used], [[row[place] for place in used] for row in rows], styled)
        return
    line = _GAP.join(head[place].ljust(widths[place]) for place in used).rstrip()
    yield click.style(line, bold=True)
    for row in rows:
        first = styled(row[used[0]]) + " " * (widths[used[0]] - len(row[used[0]]))
        yield _GAP.join([first, *(row[place].ljust(widths[place]) for place in used[1:])]).rstrip()


def _lists(head: Sequence[str], rows: Sequence[Sequence[str]], styled: Callable[[str], str]) -> Iterator[str]:
    width = max(map(len, head[1:]), default=0)
    for row in rows:
        yield styled(row[0])
        yield from (f"{_GAP}{name:{width}}{_GAP}{cell}" for name, cell in zip(head[1:], row[1:], strict=True) if cell)


def _router(picture: Picture, width: int) -> Iterator[str]:
    router = picture.router
    if router is None:
        return
    state = f"{_GAP}{click.style(router.state, fg=STATES.get(router.state))}" if router.state else ""
    keys = f"{_GAP}keys: {', '.join(router.keys)}" if router.keys else ""
    yield f"{click.style('router', bold=True)}{_GAP}{router.title}{_GAP}{router.address}{state}"
    yield from [f"{_GAP}{keys.strip()}"] if keys else []
    for mode, routes in router.routes.items():
        if mode != picture.modes[0] and routes:
            yield f"{_GAP}in {mode}"
        for route in routes:
            targets = ", ".join(_style(picture, target, target) for target in route.targets)
            names = textwrap.wrap(", ".join(route.names), max(width - 8, _NARROWEST_BAR))
            yield from (f"{_GAP}{line}" for line in names[:-1])
            last = f"{_GAP}{names[-1]}"
            fits = len(last) + len(" -> ") + len(", ".join(route.targets)) <= width
            yield f"{last} -> {targets}" if fits else f"{last}\n{_GAP}{_GAP}-> {targets}"


def _hosts(picture: Picture, width: int) -> Iterator[str]:
    rows = [(host.name, host.address, ", ".join(host.models)) for host in picture.hosts]
    if rows:
        yield from table(("other host", "router", "models"), rows, width, lambda name: click.style(name, bold=True))


def _others(picture: Picture, width: int) -> Iterator[str]:
    said = [("services", ", ".join(picture.services)), ("experiment", picture.experiment)]
    for name, text in said:
        lines = textwrap.wrap(text, max(width - len(name) - len(_GAP), _NARROWEST_TEXT))
        yield from [f"{click.style(name, bold=True)}{_GAP}{lines[0]}"] if lines else []
        yield from (f"{'':{len(name) + len(_GAP)}}{line}" for line in lines[1:])
