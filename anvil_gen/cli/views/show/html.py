"""The pictures of hosts as one page that loads nothing: drawings where there is room, bars and lists on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anvil_gen.cli.views.show.markup import Markup, element, joined
from anvil_gen.cli.views.show.picture import Picture, TierBox, gib_text
from anvil_gen.cli.views.show.style import STYLE
from anvil_gen.cli.views.show.svg import bar_shapes, host_svg

_BAR_WIDTH = 320
_STYLE = (
    "*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:62rem;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
    "h1{font-size:1.5rem}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}h3{font-size:1rem;margin:1.25rem 0 .25rem}"
    "nav a,a{color:inherit}p{margin:.25rem 0}.muted{color:var(--muted)}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.3rem .6rem .3rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}"
    "thead th{color:var(--muted)}.small{display:none}.bar{display:block;width:100%;height:auto}"
    ".bar+p{margin-bottom:.75rem}"
    "@media (max-width:47rem){.wide{display:none}.small{display:block}"
    "table,tbody,tr,td,tbody th{display:block;border:0;padding:.1rem 0}thead{display:none}"
    "tr{border-bottom:1px solid var(--line);padding:.5rem 0}"
    "td:not(:empty)::before{content:attr(data-name) ': ';color:var(--muted)}td:empty{display:none}}"
    "@media print{.wide{display:block}.small{display:none}}"
)


def html_page(pictures: Sequence[Picture]) -> str:
    """Return a page of hosts."""
    title = ", ".join(picture.host for picture in pictures)
    several = len(pictures) > 1
    links = [element("a", picture.host, href=f"#h{number}") for number, picture in enumerate(pictures)]
    contents = [part for link in links for part in (Markup(" · "), link)][1:]
    body = element(
        "body",
        element("h1", f"{len(pictures)} hosts" if several else title),
        element("nav", *contents, aria_label="Hosts") if several else None,
        element("main", *(_section(picture, f"h{number}", several) for number, picture in enumerate(pictures))),
    )
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        element("title", title),
        element("style", Markup(STYLE + _STYLE)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}"


def _section(picture: Picture, name: str, several: bool) -> Markup:
    small = [
        element("h3", "GPUs") if picture.gpus else None,
        *(_small_bar(picture, at, f"{name}-small-{at}") for at in range(len(picture.gpus))),
    ]
    return element(
        "section",
        element("h2", picture.host) if several else None,
        element("p", picture.summary, class_="muted"),
        element("div", host_svg(picture, name), class_="wide"),
        element("div", *small, class_="small"),
        *_tables(picture),
        id=name,
    )


def _small_bar(picture: Picture, at: int, name: str) -> Markup:
    bar = picture.gpus[at]
    head = f"{bar.gpu} · {gib_text(bar.memory)}" if bar.mode == picture.modes[0] else f"{bar.gpu} in {bar.mode}"
    drawing = element(
        "svg",
        element("title", f"{head}: {bar.words}"),
        bar_shapes(picture, bar, _BAR_WIDTH, name),
        viewBox=f"0 0 {_BAR_WIDTH} 28",
        role="img",
        class_="drawing bar",
    )
    return joined(element("p", head), drawing, element("p", bar.words, class_="muted"))


def _tables(picture: Picture) -> Iterator[Markup]:
    if picture.tiers:
        head = (
            "Tier",
            *(("State",) if picture.is_live else ()),
            "Engine",
            "Model",
            "GPUs",
            "Address",
            "Group",
            "Modes",
        )
        yield element("h3", "Tiers")
        rows = [_tier(picture, tier) for tier in picture.tiers]
        used = [place for place in range(len(head)) if any(row[place] for row in rows)]
        yield _table([head[place] for place in used], [[row[place] for place in used] for row in rows])
    if picture.router is not None:
        router = picture.router
        said = [router.title, router.address, *([router.state] if router.state else [])]
        said += [f"keys: {', '.join(router.keys)}"] if router.keys else []
        yield element("h3", "Router")
        yield element("p", " · ".join(said), class_="muted")
        rows = [
            (", ".join(line.names), ", ".join(line.targets), mode)
            for mode, lines in router.routes.items()
            for line in lines
        ]
        yield _table(("Names", "Lead to", "Mode"), rows)
    if picture.hosts:
        yield element("h3", "Other hosts")
        yield _table(("Host", "Router", "Models"), [(o.name, o.address, ", ".join(o.models)) for o in picture.hosts])
    said = [f"Services: {', '.join(picture.services)}"] if picture.services else []
    said += [f"Experiment: {picture.experiment}"] if picture.experiment else []
    yield from (element("p", line, class_="muted small") for line in said)


def _tier(picture: Picture, tier: TierBox) -> tuple[str, ...]:
    state = (tier.state,) if picture.is_live else ()
    return (
        tier.name,
        *state,
        tier.engine,
        tier.model,
        ", ".join(tier.gpus),
        tier.address,
        tier.rank,
        ", ".join(tier.modes) or "standby",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    top = element("thead", element("tr", *(element("th", name, scope="col") for name in head)))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, data_name=name) for name, cell in zip(head[1:], row[1:], strict=True)),
        )
        for row in rows
    ]
    return element("table", top, element("tbody", *body))
