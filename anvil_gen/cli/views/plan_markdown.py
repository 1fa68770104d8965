"""A plan as the comment of a pull request: what a reviewer has to know, in one text below GitHub's limit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.cli.views.changes import place_of, texts_of, truncated
from anvil_gen.cli.views.fit import bar, fit_cells
from anvil_gen.cli.views.plan import (
    idle_texts,
    inventory_text,
    is_unusual,
    meaning_of,
    name_text,
    shared_notes,
    title_of,
    with_told,
)
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.diagnostics import Diagnostic, join_words, printable
from anvil_gen.fit.host_fit import HostFit
from anvil_gen.resolve.model import Mode, Stack, Tier
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_access import ROOT, Exposure
from anvil_gen.review.host_plan import HostPlan

MARKER = "<!-- anvil-gen plan -->"
"""The first line, by which an earlier comment is found and replaced."""
LIMIT = 65_536
"""Characters that GitHub takes; bytes are counted, which are never fewer."""
_TAIL = "\n{} further parts do not fit here: `anvil-gen plan --format text` and `git diff` show them.\n"
_ROOM = len(_TAIL) + 10
_TABLE = "| service | consequence | model | GPUs | change |\n| --- | --- | --- | --- | --- |\n"
_FIT_TABLE = "| tier | fit | weights | KV cache | requests | longest context |\n| --- | --- | --- | --- | --- | --- |\n"
_OWN_FILES = ("tiers/", "services/")
_NOTHING = "&#8203;"  # a space without width
_MOST_NAMES = 4
_MOST_TIERS = 24  # a larger picture is none that a person reads


class _Part(Struct, frozen=True, kw_only=True):
    """A piece of the comment: less important ones are left out where they do not fit."""

    rank: int
    host: int
    text: str


def comment(plans: Sequence[HostPlan]) -> str:
    """Return the comment; the same for the same plans."""
    changed = [plan for plan in plans if plan.changes]
    number = f"{len(changed)} of {len(plans)} host{'s' if len(plans) > 1 else ''}"
    verb = "changes" if len(changed) == 1 else "change"
    shared = shared_notes(plans)
    head = f"{MARKER}\n## Plan: {f'{number} {verb}' if changed else 'no changes'}\n"
    head += "".join(f"\n{_plain(note)}\n" for note in shared)
    own = [replace(plan, notes=tuple(note for note in plan.notes if note not in shared)) for plan in plans]
    told = sorted((plan for plan in own if plan.is_told), key=lambda plan: not plan.changes)
    parts = [part for at, plan in enumerate(told) for part in _parts(at, plan)]
    fitting, room = list[int](), LIMIT - 1 - len(head.encode()) - _ROOM
    for at in sorted(range(len(parts)), key=lambda at: (parts[at].rank, at)):
        size = len(parts[at].text.encode("utf-8", "replace"))
        if size <= room:
            fitting.append(at)
            room -= size
    text = head + "".join(parts[at].text for at in sorted(fitting))
    left_out = len(parts) - len(fitting)
    return text + (_TAIL.format(left_out) if left_out else "")


def errors_comment(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the comment where nothing can be planned: what is wrong, and where."""
    head = f"{MARKER}\n## Plan: errors\n\nThere is no plan before these are fixed.\n\n"
    return _cut(head, (f"- {_error(one)}\n" for one in diagnostics))


def _cut(text: str, lines: Iterable[str]) -> str:
    """Return a text with as many lines as there is room for."""
    for line in lines:
        if len(text.encode("utf-8", "replace")) + len(line.encode("utf-8", "replace")) >= LIMIT:
            break
        text += line
    return text


def _error(one: Diagnostic) -> str:
    place = f" {_code(str(one.location))}" if one.location is not None else ""
    return f"**{_plain(one.summary)}**{place}" + "".join(
        f"<br>{_plain(text)}" for text in (one.detail, one.remedy) if text
    )


def _parts(at: int, plan: HostPlan) -> Iterator[_Part]:
    yield _Part(rank=0, host=at, text=_heading(plan) + (f"\n{_TABLE}" if plan.services else ""))
    for one, told in with_told(plan.services):
        yield _Part(rank=2, host=at, text=_row(plan, one, told))
    warnings = list(_warnings(plan))
    if warnings:
        yield _Part(rank=0, host=at, text="\n")
    # Each for itself: what is told of much that is harmless must not keep the rest out.
    yield from (_Part(rank=0 if ROOT in line else 1, host=at, text=f"- {line}\n") for line in warnings)
    if plan.idle:
        yield _Part(rank=1, host=at, text=f"\nEdits that change no file:\n\n{''.join(map(_idle, idle_texts(plan)))}")
    if not plan.changes:
        return
    if plan.fit is not None:
        yield _Part(rank=3, host=at, text=_fit(plan.fit))
    if plan.stack is not None and plan.stack.tiers and len(plan.stack.tiers) <= _MOST_TIERS:
        yield _Part(rank=3, host=at, text=_folded("The host after the change", _picture(plan, plan.stack), "mermaid"))
    yield from (_Part(rank=4, host=at, text=text) for text in _diffs(plan.files))


def _idle(told: tuple[str, str]) -> str:
    text, place = told
    return f"- {_code(text)} <sub>{_plain(place)}</sub>\n"


def _diffs(files: Iterable[FileChange]) -> Iterator[str]:
    """Yield folded diffs: each file of tiers and services, and then what is made of all of them, a folder at once."""
    folders: dict[str, list[FileChange]] = {}
    for one in sorted(files, key=lambda one: not one.path.startswith(_OWN_FILES)):
        folder = one.path.partition("/")[0] if "/" in one.path and not one.path.startswith(_OWN_FILES) else ""
        folders.setdefault((folder and f"{folder}/") or one.path, []).append(one)
    for name, own in folders.items():
        summary = _code_html(name) + (f": {len(own)} files" if len(own) > 1 else "")
        yield _folded(summary, "".join(map(diff_text, own)), "diff")


def _heading(plan: HostPlan) -> str:
    counts = Counter(one.consequence for one in plan.services)
    summary = ", ".join(f"{counts[one]} {one.value}" for one in Consequence if counts[one])
    summary = summary or f"no {'service ' if plan.changes else ''}changes"
    lines = [f"\n### {_plain(plan.host)}: {summary}\n"]
    if plan.stack is None:
        lines.append("\nThe host is gone: its containers run until somebody stops them.\n")
    elif plan.is_reworded or not plan.is_edited:
        elsewhere = ": the cause is elsewhere" if plan.changes and not plan.is_reworded else ""
        lines.append(f"\n{inventory_text(plan).capitalize()}{elsewhere}.\n")
    lines += [f"\n{_plain(note)}\n" for note in plan.notes]
    return "".join(lines)


def _row(plan: HostPlan, one: ServiceChange, told: Collection[tuple[str, int | None, str]]) -> str:
    meaning = "; ".join(filter(None, (meaning_of(one), _missed(plan, one))))
    consequence = f"**{one.consequence.value}**{f': {_plain(meaning)}' if meaning else ''}"
    tier = next((it for it in plan.stack.tiers if it.service.name == one.service), None) if plan.stack else None
    model = _code(tier.model or ", ".join(tier.repos)) if tier is not None and (tier.model or tier.repos) else ""
    gpus = ", ".join(tier.gpu_request.words) if tier is not None and tier.gpu_request is not None else ""
    cells = [_code(title_of(one)), consequence, model, _plain(gpus), "<br>".join(_changes(one, told))]
    return f"| {' | '.join(cells)} |\n"


def _missed(plan: HostPlan, one: ServiceChange) -> str:
    """Return the names by which clients of the router ask for a tier that is away for a time."""
    if plan.stack is None or one.consequence is not Consequence.RECREATE:
        return ""
    tiers = {tier.name for tier in plan.stack.tiers if tier.service.name == one.service}
    routers = (mode.router for mode in plan.stack.modes if mode.router is not None)
    names = {route.name for router in routers for route in router.routes if route.tier in tiers}
    return f"clients ask for it by {join_words(names)}" if names else ""


def _changes(one: ServiceChange, told: Collection[tuple[str, int | None, str]]) -> Iterator[str]:
    for text, cause in texts_of(one.changes, told):
        yield _code(text) + (f" <sub>{_plain(place_of(cause))}</sub>" if cause is not None else "")
    yield from map(_plain, one.notes)


def _warnings(plan: HostPlan) -> Iterator[str]:
    exposed = [(one, exposure) for one in plan.services for exposure in one.exposures]
    yield from (f"**{_exposed(*pair)}**" for pair in exposed if is_unusual(*pair))
    for name in plan.names:
        text = _plain(name_text(name))
        yield text if name.after and not name.before else f"**{text}**"
    yield from (f"{_exposed(*pair)}, as others here" for pair in exposed if not is_unusual(*pair))
    yield from (f"warning: {_error(one)}" for one in plan.warnings)


def _exposed(one: ServiceChange, exposure: Exposure) -> str:
    what, value = exposure
    return f"{_code(one.service)} now {what}{f': {_code(truncated(value))}' if value else ''}"


def _fit(fit: HostFit) -> str:
    """Return a table of what the tiers take, and a bar for each GPU that they are on."""
    cells = ([_code(one.tier), f"**{one.verdict}**", *map(_plain, fit_cells(one))] for one in fit.tiers)
    rows = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    bars = "\n".join(f"{bar(gpu)} {gpu.gpu}, {gpu.mode}: {gpu.verdict}" for gpu in fit.gpus)
    picture = _folded("GPU memory", bars, "text") if bars else ""
    return f"\n{_FIT_TABLE}{rows}{picture}"


def _picture(plan: HostPlan, stack: Stack) -> str:
    """Return a diagram of the default mode: router, tiers and GPUs, with what changes marked."""
    mode = stack.modes[0]
    changed = {one.service for one in plan.services}
    tiers = {tier.name: f"t{at}" for at, tier in enumerate(mode.tiers)}
    gpus = {gpu.name: f"g{at}" for at, gpu in enumerate(stack.gpus)}
    lines = ["flowchart LR", *_routes(mode, tiers)]
    lines += [f'  {tiers[tier.name]}["{_label(tier)}"]' for tier in mode.tiers]
    lines += [f'  {node}[/"GPU {_escaped(name)}"/]' for name, node in gpus.items()]
    lines += [f"  {tiers[tier.name]} --> {gpus[gpu.name]}" for tier in mode.tiers for gpu in tier.gpus]
    nodes = [tiers[tier.name] for tier in mode.tiers if tier.service.name in changed]
    nodes += ["r"] if mode.router is not None and mode.router.service in changed else []
    if nodes:
        lines += [f"  class {','.join(nodes)} changed", "  classDef changed stroke-width:4px"]
    return "\n".join(lines) + "\n"


def _routes(mode: Mode, tiers: dict[str, str]) -> Iterator[str]:
    """Yield the router with the names that it answers, by the tier or the other host that serves them."""
    if mode.router is None:
        return
    yield f'  r(["{_escaped(mode.router.service)} :{mode.router.port}"])'
    hosts = {peer.name: f"h{at}" for at, peer in enumerate(mode.router.others.peers)}
    names = {node: list[str]() for node in (*tiers.values(), *hosts.values())}
    for route in mode.router.routes:
        for node in dict.fromkeys((tiers.get(route.tier), *(hosts.get(host) for host in route.hosts))):
            if node is not None:
                names[node].append(route.name)
    yield from (f'  {node}[["host {_escaped(name)}"]]' for name, node in hosts.items() if names[node])
    for node, own in names.items():
        if own:
            more = [f"{len(own) - _MOST_NAMES} more"] if len(own) > _MOST_NAMES else []
            yield f'  r -- "{_escaped(", ".join([*own[:_MOST_NAMES], *more]))}" --> {node}'


def _label(tier: Tier) -> str:
    return f"{_escaped(tier.name)} :{tier.port}<br>{_escaped(tier.model or tier.served_name)}"


def _escaped(text: str) -> str:
    """Return a text for a label of Mermaid, which has its own form of entities."""
    return re.sub(r"[^\w .,:/@+-]", lambda match: f"#{ord(match[0])};", printable(text))


def _folded(summary: str, text: str, language: str) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    body = text if text.endswith("\n") else f"{text}\n"
    return f"\n<details><summary>{summary}</summary>\n\n{fence}{language}\n{body}{fence}\n\n</details>\n"


def _code(text: str) -> str:
    """Return a text as code of a table's cell."""
    text = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _code_html(text: str) -> str:
    return f"<code>{_html(text)}</code>"


def _html(text: str) -> str:
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Return a text that means nothing to Markdown, and in which GitHub finds nobody and nothing to link to.

    That is looked for in what is shown, however it was written: only another character between keeps it from that.
    """
    escaped = re.sub(r"([\\`*_\[\]|~!])", r"\\\1", _html(text))
    return re.sub(r"([@#]|www|:(?=//))", rf"\1{_NOTHING}", escaped, flags=re.IGNORECASE)
