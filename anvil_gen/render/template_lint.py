"""Rules that keep a template from passing a value by the quoting, checked when a template is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

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
    what="a value is printed against other text, so that its quotes would be a part of it",
    instead='join the text first: {{ "prefix-" ~ value }}',
)
NO_ELSE = Rule(
    what="an `if` inside an expression has no `else`: nothing would be printed as a value",
    instead="write {% if … %} around the line, or give it an `else`",
)
JOINED_CALL = Rule(
    what="the result of a macro, a filter or a set block is joined to text: that escapes the text for HTML",
    instead="print the result by itself",
)
AUTOESCAPE = Rule(what="autoescape is switched: values would not be quoted", instead="remove {% autoescape %}")
KEPT_FILTER = Rule(
    what="the result of a filter is not printed where it is made: it could be printed where it does not belong",
    instead="print it at once: {{ value | filter }}",
)
COMMENT = Rule(
    what="`comment` is used outside a comment: it quotes nothing",
    instead="print the value itself, or put `# ` before it on the line",
)
KEY = Rule(
    what="`key` is used where no `:` follows: Compose would interpolate what is no key",
    instead="print the value itself: {{ value }}",
)
WHOLE = Rule(
    what="`folded`, `literal` or `block` is a part of a line: they may print several",
    instead="print `block` at the start of a line, the others behind `key: ` or `- `, and end the line behind it",
)
INSIDE = Rule(
    what="a value is printed inside a text of YAML, where its quotes would be a part of the text",
    instead='make the value the whole text: {{ "prefix " ~ value }}',
)
HIDDEN = Rule(
    what="a template reaches for the internals of Python, or would change what it is given",
    instead="docs/templates.md lists what a template is given",
)

# Before a value: white space, a bracket, or the indicator of a list or mapping with its space. After it: the end of the
# line, a bracket, a comma, or the colon of a key. A comment may hold a value anywhere.
_BEFORE = frozenset(" \t[{(=,/")
_AFTER = frozenset(" \t\r\n]}),:=")
_OPENING = frozenset(" \t[{(=,:")
_VALUE = "\0"
_JOINING = (nodes.Concat, nodes.Mod, nodes.Add, nodes.Mul)
_HIDDEN_NAMES = frozenset(
    {"format", "format_map", "mro", "gi_frame", "gi_code", "cr_frame", "cr_code", "ag_frame", "ag_code", "tb_frame"}
)
# Values that a template has changed would be compared with themselves.
_CHANGING_NAMES = frozenset(
    {"append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"}
)

Found = tuple[int, Rule]


def hidden(name: str) -> bool:
    """Tell whether an attribute would open the internals of Python to a template, or change a value."""
    return name.startswith("_") or name in _HIDDEN_NAMES or name in _CHANGING_NAMES


def broken_rules(tree: nodes.Template, *, yaml: bool) -> list[Found]:
    """Return line and rule of each place where a template breaks one, by line; ``yaml`` has rules of its own."""
    captured = _captured(tree)
    walk = _Walk(_Place() if yaml else None, captured)
    walk.template(tree.body)
    found = {*walk.found, *_expressions(tree, captured)}
    return sorted(found, key=lambda one: (one[0], one[1].what))


def _captured(tree: nodes.Template) -> frozenset[str]:
    """Return the names of the set blocks of a template."""
    blocks = tree.find_all(nodes.AssignBlock)
    return frozenset(block.target.name for block in blocks if isinstance(block.target, nodes.Name))


def _expressions(tree: nodes.Template, captured: frozenset[str]) -> Iterator[Found]:
    """Yield the broken rules that do not depend on the text around."""
    for choice in tree.find_all(nodes.CondExpr):
        if choice.expr2 is None:
            yield choice.lineno, NO_ELSE
    for joined in tree.find_all(_JOINING):
        names = (name.name for name in joined.find_all(nodes.Name))
        if any(True for _ in joined.find_all((nodes.Call, nodes.Filter))) or not captured.isdisjoint(names):
            yield joined.lineno, JOINED_CALL
    for modifier in tree.find_all(nodes.EvalContextModifier):
        yield modifier.lineno, AUTOESCAPE
    printed = {id(piece) for output in tree.find_all(nodes.Output) for piece in _choices(output.nodes)}
    for made in tree.find_all(nodes.Filter):
        if id(made) not in printed:
            yield made.lineno, KEPT_FILTER
    for access in tree.find_all((nodes.Getattr, nodes.Getitem)):
        name = getattr(access, "attr", None) or getattr(getattr(access, "arg", None), "value", None)
        if isinstance(name, str) and hidden(name):
            yield access.lineno, HIDDEN


def _choices(pieces: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Yield each expression that may be printed: of an `if`, both."""
    for piece in pieces:
        if isinstance(piece, nodes.CondExpr):
            yield from _choices((piece.expr1,) if piece.expr2 is None else (piece.expr1, piece.expr2))
        else:
            yield piece


class _Pending(NamedTuple):
    """A printed value whose neighbour to the right is not known yet."""

    line: int
    after: frozenset[str]
    rule: Rule


class _Place(NamedTuple):
    """Where in YAML the next text will be."""

    text: bool = False  # in a plain text
    flow: int = 0  # in so many brackets
    indent: int = 0  # behind so many spaces
    header: bool = False  # behind the `|` or `>` of a block text
    block: int = -1  # the indent of the key of this block text; -1 outside of one

    def next_line(self) -> _Place:
        return _Place(flow=self.flow, block=self.indent if self.header else self.block)

    def at_content(self, visible: str) -> _Place:
        """Return the place of what is no space: a line that is not indented far enough ends a block text."""
        return self._replace(block=-1) if not visible and self.indent <= self.block else self

    def behind(self, char: str, last: str, visible: str) -> _Place:
        """Return the place behind a character outside of quotes."""
        if char in " \t":
            if not visible:
                return self._replace(indent=self.indent + 1)
            return self._replace(text=False) if last == ":" else self
        here = self.at_content(visible)
        if here.block >= 0:
            return here
        if here.text and not (here.flow and char in ",]}"):
            return here._replace(header=here.header and char in "+-0123456789#")
        if char in "[{]}":
            return here._replace(text=False, flow=max(0, here.flow + (1 if char in "[{" else -1)))
        return here._replace(text=not (char in "-?:" or (here.flow and char == ",")), header=char in "|>")


class _State(NamedTuple):
    """Where on a line of the output the next text will be."""

    quote: str = ""  # the open quote, or "#" inside a comment
    last: str = ""  # the character before, empty at the start of a line
    visible: str = ""  # the last character of the line that is no space
    pending: _Pending | None = None
    place: _Place | None = None  # None in another syntax than YAML


_States = frozenset[_State]


class _Walk:
    """Follows every way through a template, and knows what may be around each value."""

    def __init__(self, place: _Place | None, captured: frozenset[str]) -> None:
        self.found: set[Found] = set()
        self._start = _State(place=place)
        self._captured = captured

    def template(self, body: Iterable[nodes.Node]) -> None:
        """Walk a template, which starts on a line of its own."""
        self._part(body, self._start)

    def _part(self, body: Iterable[nodes.Node], start: _State) -> None:
        """Walk what is printed by itself."""
        for state in self._body(body, frozenset({start})):
            if state.pending is not None and state.pending.rule is KEY:
                self.found.add((state.pending.line, KEY))

    def _body(self, body: Iterable[nodes.Node], states: _States) -> _States:
        for node in body:
            states = self._node(node, states)
        return states

    def _node(self, node: nodes.Node, states: _States) -> _States:
        if isinstance(node, nodes.Output):
            for piece in node.nodes:
                states = frozenset(after for state in states for after in self._piece(piece, state))
        elif isinstance(node, nodes.If):
            ways = [self._body(branch.body, states) for branch in (node, *node.elif_)]
            states = self._body(node.else_, states).union(*ways)
        elif isinstance(node, nodes.For):
            states = self._loop(node, states)
        elif isinstance(node, nodes.With | nodes.Block | nodes.Scope | nodes.ScopedEvalContextModifier):
            states = self._body(node.body, states)
        elif isinstance(node, nodes.Include):
            states = self._include(node, states)
        elif isinstance(node, nodes.Macro | nodes.AssignBlock | nodes.CallBlock | nodes.FilterBlock):
            self._part(node.body, self._start._replace(visible=":"))  # it may be printed behind a key
            if isinstance(node, nodes.CallBlock):
                states = frozenset(self._value(node.call, state) for state in states)
            elif not isinstance(node, nodes.Macro) and node.filter is not None:
                self.found.add((node.lineno, KEPT_FILTER))
        return states

    def _loop(self, loop: nodes.For, states: _States) -> _States:
        """Go round a loop until nothing new can be before its body."""
        seen: _States = frozenset()
        ends: _States = frozenset()
        new = states
        while new:
            seen |= new
            ends |= self._body(loop.body, new)
            new = ends - seen
        return ends | self._body(loop.else_, states)

    def _include(self, node: nodes.Include, states: _States) -> _States:
        """Take an included template for whole lines."""
        for state in states:
            self._next("\n", state, node.lineno)
            if state.visible and state.last:
                self.found.add((node.lineno, GLUED))
        return frozenset({self._start})

    def _piece(self, piece: nodes.Node, state: _State) -> Iterator[_State]:
        """Yield what may come behind a piece: more than one for an `if` inside an expression."""
        if isinstance(piece, nodes.TemplateData):
            yield self._text(piece.data, state)
        elif _is_constant(piece):
            self.found.add((piece.lineno, CONSTANT))
            yield state._replace(last=_VALUE, visible=_VALUE, pending=None)
        else:
            yield from (self._value(choice, state) for choice in _choices([piece]))

    def _text(self, text: str, state: _State) -> _State:
        quote, last, visible, pending, place = state
        skip = False
        for char in text:
            if pending is not None:
                self._next(char, state, pending.line)
                pending = None
            if char == "\n":
                quote = quote if place is not None and quote != "#" else ""
                place = place.next_line() if place is not None else None
                last = visible = ""
                skip = False
                continue
            inside = place is not None and (place.text or place.at_content(visible).block >= 0)
            if place is not None and not quote:
                place = place.behind(char, last, visible)
            if skip:
                skip = False
            elif quote == '"' and char == "\\":
                skip = True
            elif quote and quote == char:
                quote = ""
            elif not quote and char in "'\"" and (last == char or (not inside and (not last or last in _OPENING))):
                quote = char
            elif not quote and char == "#" and last in ("", " ", "\t"):
                quote = "#"
            last = char
            visible = visible if char in " \t" else char
        return _State(quote, last, visible, pending, place)

    def _next(self, char: str, state: _State, line: int) -> None:
        """Check what follows the value before."""
        pending = state.pending
        if pending is not None and char not in pending.after:
            self.found.add((line, pending.rule))

    def _value(self, piece: nodes.Node, state: _State) -> _State:
        """Check the place of a value, and return what comes behind it."""
        line = piece.lineno
        self._next(_VALUE, state, state.pending.line if state.pending else line)
        name = piece.name if isinstance(piece, nodes.Filter) else ""
        pending: _Pending | None = _Pending(line, _AFTER, GLUED)
        fits, rule = not state.quote and (not state.last or state.last in _BEFORE), GLUED
        if name == "comment":
            fits, rule, pending = state.quote == "#", COMMENT, None
        elif name == "key":
            pending = _Pending(line, frozenset(":"), KEY)
        elif name in ("folded", "literal", "block"):
            behind = state.last in (" ", "\t") and state.visible in (":", "-") if name != "block" else not state.last
            fits, rule, pending = not state.quote and behind, WHOLE, _Pending(line, frozenset("\n"), WHOLE)
        elif state.quote == "#" and not isinstance(piece, nodes.Call):
            fits, pending = True, None
        place = state.place.at_content(state.visible) if state.place is not None else None
        if fits and place is not None and self._is_inside(place, state, piece):
            fits, rule = False, INSIDE
        if not fits:
            self.found.add((line, rule))
            pending = None
        place = place._replace(text=True) if place is not None else None
        return state._replace(last=_VALUE, visible=_VALUE, pending=pending, place=place)

    def _is_inside(self, place: _Place, state: _State, piece: nodes.Node) -> bool:
        """Tell whether what is printed is a part of a YAML text, be it one that an earlier line began."""
        if place.block >= 0:
            return True
        if state.quote == "#":
            return False
        if place.text or state.visible or place.flow:
            return place.text
        whole = isinstance(piece, nodes.Call) or (isinstance(piece, nodes.Name) and piece.name in self._captured)
        return not whole and not (isinstance(piece, nodes.Filter) and piece.name in ("key", "block"))


def _is_constant(node: nodes.Node) -> bool:
    """Tell whether Jinja can work an expression out when it compiles."""
    try:
        node.as_const()  # type: ignore[attr-defined]
    except nodes.Impossible:
        return False
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False  # it fails when it runs, and is reported then
    return True
