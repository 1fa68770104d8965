"""Which line of a template each line of a rendered file is from, watched while the template renders."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from types import FrameType
from typing import Any

import jinja2
from msgspec import Struct
from msgspec.structs import replace

_Pieces = Generator[str, None, None]


class TemplateLine(Struct, frozen=True, kw_only=True):
    """What a line of a template has rendered; ``printed`` where it prints a value, and is not only text of its own."""

    text: str = ""
    template: str
    line: int
    printed: bool


def lines_of(template: jinja2.Template, context: Mapping[str, Any]) -> list[TemplateLine]:
    """Return the place in the templates of each line that a template renders.

    A line that prints a value is from where the value is printed; any other from where its text stands.
    """
    found: list[list[tuple[str, TemplateLine]]] = [[]]
    for piece, place in _pieces(template, context):
        for at, text in enumerate(piece.split("\n")):
            if at:
                found.append([])
            found[-1].append((text, place))
    sources: dict[str, list[str]] = {}
    return [_line(parts, template.environment, sources) for parts in found]


def _line(
    parts: list[tuple[str, TemplateLine]], environment: jinja2.Environment, sources: dict[str, list[str]]
) -> TemplateLine:
    whole = "".join(text for text, _ in parts)
    if not whole.strip():
        return TemplateLine(text=whole, template="", line=0, printed=False)
    printed = next((place for text, place in reversed(parts) if place.printed and text), None)
    if printed is not None:
        return replace(printed, text=whole)
    text, place = next((text, place) for text, place in parts if text.strip())
    if place.template not in sources and environment.loader is not None:
        source, _, _ = environment.loader.get_source(environment, place.template)
        sources[place.template] = source.split("\n")
    lines = sources[place.template]
    # A literal may have several lines, and only its beginning is known.
    near = sorted(range(len(lines)), key=lambda at: (at + 1 < place.line, abs(at + 1 - place.line)))
    line = next((at + 1 for at in near if text.strip() in lines[at]), place.line)
    return TemplateLine(text=whole, template=place.template, line=line, printed=False)


def _pieces(template: jinja2.Template, context: Mapping[str, Any]) -> Iterator[tuple[str, TemplateLine]]:
    pieces = template.root_render_func(template.new_context(dict(context)))
    for piece in pieces:
        frame = _innermost(pieces)
        literal = any(piece is constant for constant in frame.f_code.co_consts)
        line = _template_line(frame)
        yield str(piece), TemplateLine(template=frame.f_globals["name"], line=line, printed=not literal)


def _innermost(pieces: Any) -> FrameType:
    """Return the frame that has yielded last: an included template's is inside of the one that includes it."""
    frame: FrameType = pieces.gi_frame
    inner = pieces.gi_yieldfrom or frame.f_locals.get("gen")
    return _innermost(inner) if getattr(inner, "gi_frame", None) is not None else frame


def _template_line(frame: FrameType) -> int:
    """Return the line of a template for that of its compiled code, by the table that Jinja puts into it."""
    entries = [entry.split("=") for entry in frame.f_globals["debug_info"].split("&") if entry]
    return max((int(line) for line, code in entries if int(code) <= frame.f_lineno), default=1)
