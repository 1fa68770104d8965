"""The picture of a host as SVG: names on the left, tiers in the middle, GPUs on the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from anvil_gen.cli.views.show.markup import Markup, element, joined
from anvil_gen.cli.views.show.picture import GpuBar, HostBox, Picture, Segment, TierBox, gib_text
from anvil_gen.cli.views.show.style import COLOURS, STYLE, state_class

WIDTH = 960
_NAMES, _TIERS, _GPUS = (0, 230), (286, 300), (646, 314)
"""Left edge and width of the columns."""
_TOP, _PILL, _CARD, _BAR, _GAP = 34, 26, 66, 28, 16
_HEAD = 58
_MARGIN = 16
_BAR_BLOCK = _BAR + 62


class _Row(Struct, frozen=True, kw_only=True):
    """A tier or another host with the names that lead to it, and its place."""

    key: str
    top: float
    height: float
    names: tuple[tuple[str, str], ...]  # each with its mode; empty for the default one

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def svg_image(pictures: Sequence[Picture]) -> str:
    """Return an image of hosts, complete in itself."""
    parts, top = [], 0.0
    for number, picture in enumerate(pictures):
        drawing, height = _drawing(picture, f"h{number}")
        heading = joined(_text(0, 22, picture.host, "t-h"), _text(0, 44, picture.summary, "t-s muted"))
        parts.append(element("g", heading, transform=f"translate(0 {top:.0f})"))
        parts.append(element("g", drawing, transform=f"translate(0 {top + _HEAD:.0f})"))
        top += _HEAD + height + 2 * _GAP
    title = ", ".join(picture.host for picture in pictures)
    background = _box((-_MARGIN, -_MARGIN, WIDTH + 2 * _MARGIN, top - 2 * _GAP + 2 * _MARGIN), "page", 8)
    return _svg(title, joined(element("style", Markup(STYLE)), background, *parts), top - 2 * _GAP, "picture")


def host_svg(picture: Picture, name: str) -> Markup:
    """Return the drawing of one host for a page, which has the style; ``name`` tells its parts from other hosts'."""
    drawing, height = _drawing(picture, name)
    return _svg(picture.host, drawing, height, name)


def _svg(title: str, content: Markup, height: float, name: str) -> Markup:
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{-_MARGIN} {-_MARGIN} {WIDTH + 2 * _MARGIN} {height + 2 * _MARGIN:.0f}",
        width=WIDTH + 2 * _MARGIN,
        height=height + 2 * _MARGIN,
        role="img",
        class_="drawing",
        aria_labelledby=f"{name}-title",
    )


def _drawing(picture: Picture, name: str) -> tuple[Markup, float]:
    """Return a host's drawing and its height."""
    rows = list(_rows(picture))
    by_key = {row.key: row for row in rows}
    bars = {index: float(_TOP + index * _BAR_BLOCK) for index in range(len(picture.gpus))}
    bottoms = [row.top + row.height for row in rows] + [top + _BAR_BLOCK - _GAP for top in bars.values()]
    parts = [
        element("desc", _description(picture)),
        _head(picture),
        *(_edges_to_gpus(picture, by_key, bars)),
        *(part for row in rows for part in _row(picture, row, by_key)),
        *(_gpu(picture, bar, bars[index], f"{name}-{index}") for index, bar in enumerate(picture.gpus)),
    ]
    bottom = max(bottoms, default=float(_TOP))
    foot = _foot(picture, bottom + _GAP)
    return joined(*parts, foot), bottom + (_GAP + 16 if foot else 0)


def _description(picture: Picture) -> str:
    gpus = [f"GPU {bar.gpu} in mode {bar.mode}: {bar.words}." for bar in picture.gpus]
    tiers = [f"Tier {tier.name}: {tier.engine}, {tier.model}." for tier in picture.tiers]
    lines = list(picture.router.routes.values()) if picture.router is not None else []
    routes = [f"{', '.join(line.names)} lead to {', '.join(line.targets)}." for each in lines for line in each]
    return " ".join([*gpus, *tiers, *routes])


def _rows(picture: Picture) -> Iterator[_Row]:
    top, seen = float(_TOP), _names(picture)
    keys = [tier.name for tier in picture.tiers] + [f"host {host.name}" for host in picture.hosts]
    for key in keys:
        names = tuple(seen.get(key, ()))
        height = float(max(_CARD, len(names) * (_PILL + 4) - 4))
        yield _Row(key=key, top=top, height=height, names=names)
        top += height + _GAP


def _names(picture: Picture) -> dict[str, list[tuple[str, str]]]:
    """Return the names at each first target."""
    found: dict[str, list[tuple[str, str]]] = {}
    for mode, lines in picture.router.routes.items() if picture.router is not None else ():
        for line in lines:
            own = "" if mode == picture.modes[0] else mode
            found.setdefault(line.targets[0], []).extend((name, own) for name in line.names)
    return found


def _text(x: float, y: float, text: str, class_: str = "", width: float | None = None, **more: object) -> Markup:
    """Return a line of text, cut where it is longer than its place."""
    each = {"t-h": 12.2, "t-b": 8.4, "t-s": 6.9}.get(class_.split(" ", maxsplit=1)[0], 7.5)
    room = len(text) if width is None else max(int(width / each), 1)
    shown = text if len(text) <= room else text[: max(room - 1, 1)] + "…"
    tip = element("title", text) if shown != text else None
    return element("text", tip, shown, x=x, y=y, class_=class_ or None, **more)


def _head(picture: Picture) -> Markup:
    router = picture.router
    parts = [
        _text(_TIERS[0], _TOP - 16, "tiers", "t-s muted") if picture.tiers else None,
        _text(_GPUS[0], _TOP - 16, "GPUs", "t-s muted") if picture.gpus else None,
    ]
    if router is not None:
        state = f" · {router.state}" if router.state else ""
        parts.append(_text(0, _TOP - 16, f"{router.title} {router.address}{state}", "t-s muted", _TIERS[0] - 10))
    return joined(*parts)


def _foot(picture: Picture, y: float) -> Markup | None:
    said = [f"services: {', '.join(picture.services)}"] if picture.services else []
    said += [f"experiment: {picture.experiment}"] if picture.experiment else []
    return _text(0, y + 12, " · ".join(said), "t-s muted", WIDTH) if said else None


def _row(picture: Picture, row: _Row, rows: dict[str, _Row]) -> Iterator[Markup]:
    top = row.middle - (len(row.names) * (_PILL + 4) - 4) / 2
    targets = {name: targets for name, targets in _all_targets(picture).items() if name in row.names}
    for at, (name, mode) in enumerate(row.names):
        y = top + at * (_PILL + 4)
        for target in targets[name, mode]:
            yield _curve(_NAMES[1], y + _PILL / 2, _TIERS[0], rows[target].middle, "route" + (" other" if mode else ""))
        yield _pill(y, f"{name} (in {mode})" if mode else name, other=bool(mode))
    tier = picture.tier(row.key)
    if tier is not None:
        yield _card(picture, tier, row)
    host = next((host for host in picture.hosts if f"host {host.name}" == row.key), None)
    if host is not None:
        yield _host_card(host, row)


def _all_targets(picture: Picture) -> dict[tuple[str, str], tuple[str, ...]]:
    routes = picture.router.routes if picture.router is not None else {}
    return {
        (name, "" if mode == picture.modes[0] else mode): line.targets
        for mode, lines in routes.items()
        for line in lines
        for name in line.names
    }


def _curve(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    middle = (x1 + x2) / 2
    path = f"M{x1:.0f} {y1:.1f}C{middle:.0f} {y1:.1f} {middle:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
    return element("path", d=path, class_=f"edge {class_}")


def _box(place: tuple[float, float, float, float], class_: str | None, radius: int = 6) -> Markup:
    x, y, width, height = place
    return element("rect", x=x, y=y, width=width, height=height, rx=radius, class_=class_)


def _pill(y: float, name: str, *, other: bool) -> Markup:
    box = _box((_NAMES[0], y, _NAMES[1], _PILL), "pill other" if other else "pill", _PILL // 2)
    return joined(box, _text(_NAMES[0] + 12, y + 17.5, name, "", _NAMES[1] - 24))


def _card(picture: Picture, tier: TierBox, row: _Row) -> Markup:
    x, y, width = _TIERS[0], row.middle - _CARD / 2, _TIERS[1]
    standby = picture.modes[0] not in tier.modes
    said = [
        tier.engine,
        tier.address or "no port",
        *([tier.rank] if tier.rank else []),
        *(["in " + ", ".join(tier.modes) if tier.modes else "standby"] * standby),
    ]
    state = [
        element("circle", cx=x + width - 14, cy=y + 16, r=5, class_=f"dot {state_class(tier.state)}"),
        _text(x + width - 24, y + 20, tier.state, "t-s muted", text_anchor="end"),
    ]
    return joined(
        _box((x, y, width, _CARD), "card standby" if standby else "card"),
        _box((x, y, 6, _CARD), f"c{picture.colours[tier.name] % COLOURS}", 3),
        _text(x + 16, y + 21, tier.name, "t-b", width - (110 if tier.state else 30)),
        _text(x + 16, y + 39, tier.model, "", width - 26),
        _text(x + 16, y + 56, " · ".join(said), "t-s muted", width - 26),
        *(state if tier.state else []),
    )


def _host_card(host: HostBox, row: _Row) -> Markup:
    x, y, width = _TIERS[0], row.middle - _CARD / 2, _TIERS[1]
    return joined(
        _box((x, y, width, _CARD), "card host"),
        _text(x + 16, y + 21, f"host {host.name}", "t-b", width - 26),
        _text(x + 16, y + 39, host.address, "", width - 26),
        _text(x + 16, y + 56, ", ".join(host.models), "t-s muted", width - 26),
    )


def _edges_to_gpus(picture: Picture, rows: dict[str, _Row], bars: dict[int, float]) -> Iterator[Markup]:
    for index, bar in enumerate(picture.gpus):
        for tier in bar.tiers:
            if tier in rows:
                colour = f"e{picture.colours[tier] % COLOURS}"
                x, y = _TIERS[0] + _TIERS[1], bars[index] + 18 + _BAR / 2
                yield _curve(x, rows[tier].middle, _GPUS[0], y, colour)


def _gpu(picture: Picture, bar: GpuBar, top: float, name: str) -> Markup:
    default = bar.mode == picture.modes[0]
    head = f"{bar.gpu} · {gib_text(bar.memory)}" if default else f"{bar.gpu} in {bar.mode}"
    return joined(
        _text(_GPUS[0], top + 10, head, "" if default else "t-s muted", _GPUS[1]),
        element("g", bar_shapes(picture, bar, _GPUS[1], name), transform=f"translate({_GPUS[0]} {top + 18:.0f})"),
        _text(_GPUS[0], top + 18 + _BAR + 17, bar.sizes, "t-s muted", _GPUS[1]),
    )


def bar_shapes(picture: Picture, bar: GpuBar, width: float, name: str) -> Markup:
    """Return a GPU's bar at the origin, ``name`` being its own in the document."""
    clip = element("clipPath", _box((0, 0, width, _BAR), "", 5), id=name)
    pieces, labels, named = [], [], set[str]()
    for segment, left, right in _places(bar, width):
        pieces.append(_piece(picture, segment, left, right))
        if segment.tier and segment.tier not in named:
            named.add(segment.tier)
            end = max(right for one, _, right in _places(bar, width) if one.tier == segment.tier)
            labels += [_text(left + 8, 18.5, segment.tier)] if end - left > len(segment.tier) * 8.6 + 16 else []
    frame = _box((0.5, 0.5, width - 1, _BAR - 1), "frame", 5)
    return joined(clip, element("g", *pieces, clip_path=f"url(#{name})"), frame, *labels)


def _piece(picture: Picture, segment: Segment, left: float, right: float) -> Markup:
    tier = picture.tier(segment.tier)
    colour = f"c{picture.colours[tier.name] % COLOURS}" if tier is not None else segment.kind
    idle = " idle" if tier is not None and tier.state and state_class(tier.state) != "up" else ""
    unknown = " unknown" if segment.size is None else ""
    tip = element("title", f"{segment.tier or segment.kind}: {segment.kind} {gib_text(segment.size)}")
    class_ = f"{colour} k-{segment.kind}{idle}{unknown}"
    return element("rect", tip, x=left, y=0, width=max(right - left, 0.0), height=_BAR, class_=class_)


def _places(bar: GpuBar, width: float) -> list[tuple[Segment, float, float]]:
    """Return each segment with where it begins and ends."""
    ends = bar.ends(width)
    return list(zip(bar.segments, [0.0, *ends], ends, strict=False))
