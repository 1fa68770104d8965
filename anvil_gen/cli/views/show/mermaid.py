"""The picture of a host as a Mermaid flow chart, which GitHub draws in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from anvil_gen.cli.views.show.picture import Picture, gib_text


def mermaid_chart(pictures: Sequence[Picture]) -> str:
    """Return a chart of hosts."""
    lines = ["flowchart LR"]
    for number, picture in enumerate(pictures):
        lines.append(f"  subgraph h{number}[{_quoted(picture.host)}]")
        lines += [f"    {line}" for line in _host(picture, f"h{number}")]
        lines.append("  end")
    return "\n".join(lines)


def _host(picture: Picture, own: str) -> Iterator[str]:
    ids = {tier.name: f"{own}t{at}" for at, tier in enumerate(picture.tiers)}
    ids |= {f"host {host.name}": f"{own}o{at}" for at, host in enumerate(picture.hosts)}
    for tier in picture.tiers:
        said = [tier.name, tier.model, f"{tier.engine} {tier.address}".strip(), tier.rank, tier.state]
        yield f"{ids[tier.name]}[{_quoted(*said)}]"
    for host in picture.hosts:
        yield f"{ids[f'host {host.name}']}[/{_quoted(f'host {host.name}', host.address)}/]"
    for at, bar in enumerate(picture.gpus):
        head = f"{bar.gpu} {gib_text(bar.memory)}" if bar.mode == picture.modes[0] else f"{bar.gpu} in {bar.mode}"
        yield f"{own}g{at}[({_quoted(head, bar.words)})]"
        yield from (f"{ids[tier]} --- {own}g{at}" for tier in bar.tiers if tier in ids)
    yield from _routes(picture, own, ids)


def _routes(picture: Picture, own: str, ids: dict[str, str]) -> Iterator[str]:
    router = picture.router
    if router is None:
        return
    yield f"{own}r{{{{{_quoted(router.title, router.address)}}}}}"
    for mode, lines in router.routes.items():
        arrow, suffix = ("-->", "") if mode == picture.modes[0] else ("-.->", f" (in {mode})")
        for line in lines:
            label = _quoted(", ".join(line.names) + suffix)
            yield from (f"{own}r {arrow}|{label}| {ids[target]}" for target in line.targets)


def _quoted(*lines: str) -> str:
    """Return lines as a label: whatever could end it, or begin something else, as the number of its character."""
    text = (re.sub(r"[^\w .,:/@+()-]", lambda match: f"#{ord(match[0])};", line) for line in lines if line)
    return '"' + "<br>".join(text) + '"'
