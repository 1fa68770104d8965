"""Rules that keep a template from passing a value by the quoting, checked when a template is compiled."""

import re
from collections.abc import Iterator

from jinja2 import nodes
from msgspec import Struct


class Rule(Struct, frozen=True, kw_only=True):
    """What a template must not do, and what to do instead."""

    what: str
    instead: str


CONSTANT = Rule(
    what="a constant is printed: Jinja escapes it for HTML when it compiles, and nothing quotes it",
    instead="write the text itself, without braces",
)
GLUED = Rule(
    what="a value is printed against other text, so that its quotes would stand inside",
    instead='join the text first: {{ "prefix-" ~ value }}',
)
NO_ELSE = Rule(
    what="an `if` inside an expression has no `else`: nothing would be printed as a value",
    instead="write {% if … %} around the line, or give it an `else`",
)
JOINED_CALL = Rule(
    what="the result of a macro is joined to text: that escapes the text for HTML",
    instead="print the macro's result by itself",
)
AUTOESCAPE = Rule(what="autoescape is switched: values would not be quoted", instead="remove {% autoescape %}")

# Before a value: white space, a bracket, or the indicator of a list or mapping with its space. After it: the end of the
# line, a bracket, a comma, or the colon of a key. A line of a comment may hold a value anywhere (`| comment` is needed
# there, or a line break in the value would end the comment).
_BEFORE = re.compile(r"(?:^|[\s\[{(=,/])$")
_AFTER = re.compile(r"^(?:$|[\s\]}),:=])")


def broken_rules(tree: nodes.Template) -> Iterator[tuple[int, Rule]]:
    """Yield line and rule for each place where a template breaks one."""
    for output in tree.find_all(nodes.Output):
        yield from _output(output)
    for choice in tree.find_all(nodes.CondExpr):
        if choice.expr2 is None:
            yield choice.lineno, NO_ELSE
    for joined in tree.find_all(nodes.Concat):
        if any(isinstance(part, nodes.Call) for part in joined.nodes):
            yield joined.lineno, JOINED_CALL
    for modifier in tree.find_all(nodes.EvalContextModifier):
        yield modifier.lineno, AUTOESCAPE


def _output(output: nodes.Output) -> Iterator[tuple[int, Rule]]:
    pieces = output.nodes
    line = ""
    for index, piece in enumerate(pieces):
        if isinstance(piece, nodes.TemplateData):
            line = (line + piece.data).rpartition("\n")[2] if "\n" not in piece.data else piece.data.rpartition("\n")[2]
            continue
        if _is_constant(piece):
            yield piece.lineno, CONSTANT
        elif not _is_markup(piece) and "#" not in line:
            after = pieces[index + 1] if index + 1 < len(pieces) else None
            follows = after.data if isinstance(after, nodes.TemplateData) else "" if after is None else "x"
            if not _BEFORE.search(line) or not _AFTER.search(follows):
                yield piece.lineno, GLUED
        line += "x"


def _is_constant(node: nodes.Expr) -> bool:
    if isinstance(node, nodes.Const):
        return True
    return isinstance(node, nodes.Concat) and all(isinstance(part, nodes.Const) for part in node.nodes)


def _is_markup(node: nodes.Expr) -> bool:
    """Tell whether a piece is text already: a macro's result, or a filter's."""
    return isinstance(node, nodes.Call | nodes.Filter)
