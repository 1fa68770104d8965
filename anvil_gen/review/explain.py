"""Where a rendered value comes from, and where a value of an inventory goes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.defaults import DEFAULTS
from anvil_gen.deploy.compose_diff import Cause
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.template_lines import TemplateLine
from anvil_gen.resolve.model import FILE_LABEL, Stack
from anvil_gen.resolve.options import Options
from anvil_gen.resolve.router_model import file_of_variable
from anvil_gen.review.rendered_values import Place, content, leaves, line_of, parse_address, place_text
from anvil_gen.review.sources import Source, sources_of
from anvil_gen.review.toml_edits import value_text
from anvil_gen.text.masking import MASK, secret_part
from anvil_gen.values import KeyPath, address

Hit = tuple[Source, KeyPath]
"""A value of a file, which may be a cause."""
_COMPUTED = "computed by anvil-gen"
_OWN_TEXT = "the template's own text"
_PLACEHOLDER = lazy_pattern(r"\{[a-z_]+\}")
_SHORTEST = 3
"""Characters of a text that is not in another one by chance."""


class Explanation(Struct, frozen=True, kw_only=True):
    """An address with its value: the causes, the nearest first, and what of the rendered files follows from it."""

    address: str
    line: int | None
    value: Any
    causes: tuple[Cause, ...]
    reaches: tuple[str, ...] = ()


class Explainer:
    """Explains values of one host: what has been tried for one value is known for the next."""

    def __init__(self, plan: Plan, generator: Generator) -> None:
        """Take a host as it is rendered."""
        self.plan = plan
        self._generator = generator
        self._templates: dict[str, list[TemplateLine | None]] = {}

    @cached_property
    def sources(self) -> list[Source]:
        """The files that the host is rendered from, its inventory first."""
        return list(sources_of(self.plan, self._generator))

    def explain(self, text: str) -> Explanation:
        """Return what is known of an address of a rendered file, or of the inventory.

        Raises:
            DiagnosticError: there is no such value.
        """
        path, _, rest = text.partition(":")
        if path in self.plan.tree.files:
            return self.rendered(self._place(path, rest))
        keys = parse_address(text)
        if not keys:
            raise _unknown(text, path, self.plan.tree.files)
        return self.written(keys)

    def _place(self, path: str, rest: str) -> Place:
        value = content(self.plan.tree, path)
        if isinstance(value, list) and rest.isdecimal():
            keys: KeyPath | None = (int(rest) - 1,)
        else:
            keys = _key_of_line(self.plan.tree.files[path], path, rest, value) or parse_address(rest)
        if not keys or not _is_there(value, keys):
            known = [place_text((path, found), self.plan.tree) for found, _ in leaves(value)]
            raise _unknown(f"{path}:{rest}", f"{path}:{rest}", known)
        return path, keys

    def rendered(self, place: Place) -> Explanation:
        """Return where a value of a rendered file comes from."""
        path, keys = place
        value, text = _at(content(self.plan.tree, path), keys), self.plan.tree.files[path]
        line = line_of(text, path, keys)
        return Explanation(
            address=place_text(place, self.plan.tree),
            line=line,
            value=MASK if secret_part(keys) is not None and path.endswith(".yml") else value,
            causes=tuple(self._causes(place, line, value)),
        )

    def _causes(self, place: Place, line: int, value: Any) -> Iterator[Cause]:
        digested = _digested(place[1])
        if digested:
            yield Cause(file=digested, why="a digest of this file, so that its change is noticed")
        template = self._template(place[0], line)
        text = str(place[1][-1] if value is None else value)  # a variable by its name only
        printed = template is None or template.printed or place[0] in self._copied
        found = [] if digested or not printed else self._proven(place, text)
        yield from found
        if template is not None and template.template:
            key = "" if found or digested else _COMPUTED if template.printed else _OWN_TEXT
            yield Cause(file=f"templates/{template.template}", line=template.line, key=key)

    def _proven(self, place: Place, value: str) -> list[Cause]:
        """Return what is proven to change a value: all that it holds the text of, else the nearest one."""
        named = _table_of(value, self.plan.host.stack) if value in self.plan.tree.files else ()
        if named:  # a root file names the files of its services
            return [self._of_inventory(named)]
        table = _table_of(place[0], self.plan.host.stack)
        hits: list[Hit] = []
        for wave in self._waves(table, value):
            hits = [(source, path) for source, path in wave if _reaches(source, path, place, value)]
            if hits:
                break
        hits.sort(key=lambda hit: self._distance(hit, table, value))
        chosen = [hit for hit in hits if _is_alike(*hit, value)] or hits[:1]
        if chosen and all(source.engine for source, _ in chosen) and _is_rest(value, chosen):
            chosen = [*self._behind(place, table, value), *chosen]
        return [self._cause(source, path) for source, path in chosen]

    def _behind(self, place: Place, table: KeyPath, value: str) -> list[Hit]:
        """Return the key of a table that a flag's value follows from, as the number of GPUs from their list."""
        inventory = self.sources[0]
        own = [path for path in inventory.values if table and path[: len(table)] == table]
        hits = [
            (inventory, path)
            for path in own
            if place in inventory.effects(path) or (isinstance(path[-1], int) and place in inventory.without(path))
        ]
        return sorted(hits, key=lambda hit: self._distance(hit, table, value))[:1]

    def _waves(self, table: KeyPath, value: str) -> Iterator[list[Hit]]:
        """Yield what to try, the likeliest first: what a value holds the text of, its own table, then all else."""
        every = [(source, path) for source in self._near(table) for path in source.values]
        yield [hit for hit in every if _is_alike(*hit, value)]
        own = [hit for hit in every if hit[0] is self.sources[0]]
        yield [hit for hit in own if hit[1][: len(table)] == table]
        yield own
        yield [hit for hit in every if hit[0] is not self.sources[0]]

    def _near(self, table: KeyPath) -> list[Source]:
        """Return the files that a table's values can be from: of the engines, only its own."""
        used = {tier.engine for tier in self.plan.host.stack.tiers if tier.table == table}
        return [one for one in self.sources if not used or one.engine in {"", *used}]

    def _distance(self, hit: Hit, table: KeyPath, value: str) -> tuple[bool, bool, bool, int]:
        source, path = hit
        is_own = bool(table) and path[: len(table)] == table
        is_inventory = source is self.sources[0]
        return not _is_alike(source, path, value), not is_own, not is_inventory, len(source.effects(path))

    def _cause(self, source: Source, path: KeyPath) -> Cause:
        document, value = source.document, source.values[path]
        shown = MASK if secret_part(path) is not None else value
        why = _reason(document.data, path)
        place = document.location(path)
        return Cause(file=place.file, line=place.line, key=address(path), after=shown, why=why)

    def _of_inventory(self, keys: KeyPath) -> Cause:
        document = self.sources[0].document
        place = document.location(keys, key=True)
        return Cause(file=place.file, line=place.line, key=address(keys))

    def _template(self, path: str, line: int) -> TemplateLine | None:
        if path not in self._templates:
            self._templates[path] = self._template_lines(path)
        found = self._templates[path]
        return found[line - 1] if line <= len(found) else None

    def _template_lines(self, path: str) -> list[TemplateLine | None]:
        """Return the template's line of each line of a file; None of what an override has put there."""
        lines = self._generator.template_lines(self.plan, path)
        before = [line.text for line in lines]
        after = self.plan.tree.files[path].split("\n")
        found: list[TemplateLine | None] = [None] * len(after)
        for one in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
            found[one.b : one.b + one.size] = lines[one.a : one.a + one.size]
        return found

    @cached_property
    def _copied(self) -> set[str]:
        return {file.path for file in self.plan.host.stack.copied_files}

    def written(self, keys: KeyPath) -> Explanation:
        """Return where an option of the inventory has its value from, and what follows from it.

        Raises:
            DiagnosticError: there is no such option.
        """
        inventory, stack = self.sources[0], self.plan.host.stack
        names = {tier.service.name: tier.group for tier in stack.tiers} | {
            tier.group: tier.group for tier in stack.tiers
        }
        if keys[0] not in inventory.document.data and keys[0] in names:
            keys = ("tiers", names[str(keys[0])], *keys[1:])
        cause, value = self._origin(keys)
        reaches = sorted(inventory.effects(keys, value), key=lambda place: (place[0], str(place[1])))
        return Explanation(
            address=address(keys),
            line=None,
            value=MASK if secret_part(keys) is not None else value,
            causes=(cause,),
            reaches=tuple(place_text(place, self.plan.tree) for place in reaches),
        )

    def _origin(self, keys: KeyPath) -> tuple[Cause, Any]:
        """Return where an option is written, and its value."""
        document = self.sources[0].document
        if _is_there(document.data, keys):
            return self._of_inventory(keys), _at(document.data, keys)
        options, section, size = _options(self.plan.host.stack, self.plan.host.options, keys)
        name = str(keys[size]) if len(keys) > size else ""
        if options is None or name not in options.origins or len(keys) > size + 1:
            known = [".".join((*map(str, keys[:size]), one)) for one in options] if options is not None else []
            raise _unknown(address(keys), address(keys), known)
        return self._layer(options, section, name), options.get(name)

    def _layer(self, options: Options, section: str, name: str) -> Cause:
        origin = options.origin(name)
        if origin.path is not None:
            return self._of_inventory(origin.path)
        file = origin.layer.removeprefix("templates/")
        path = (section, name) if file == DEFAULTS else ("defaults", name)
        found = self.plan.host.catalog.document(file)
        if found is None or options.get(name) is None:
            return Cause(file=origin.layer, key=f"{section}.{name}", why="not set: what runs decides")
        why = _reason(found.data, path)
        return Cause(file=found.display, line=found.location(path, key=True).line, key=address(path), why=why)


def _options(stack: Stack, host: Options, keys: KeyPath) -> tuple[Options | None, str, int]:
    """Return the options of a table, their section of the defaults, and the length of the table's path."""
    tables: dict[KeyPath, tuple[Options | None, str]] = {
        ("host",): (host, "host"),
        ("router",): (stack.router.options if stack.router is not None else None, "router"),
        ("experiment",): (stack.experiment.options if stack.experiment is not None else None, "experiment"),
    }
    tables |= {tier.table: (tier.options, "tier") for tier in stack.tiers if not tier.replica_of}
    found = next((table for table in tables if keys[: len(table)] == table), None)
    return (None, "", 0) if found is None else (*tables[found], len(found))


def _table_of(path: str, stack: Stack) -> KeyPath:
    """Return the inventory's table that a rendered file is of; empty where it is of none."""
    folder, _, name = path.rpartition("/")
    groups: Mapping[str, KeyPath] = {tier.name: tier.table for tier in stack.tiers}
    if folder == "tiers" or folder.startswith("tiers/"):
        return groups.get(path.removeprefix("tiers/").partition(".")[0], ())
    if folder == "services":
        return ("services", name.partition(".")[0])
    experiment = stack.experiment.root_file if stack.experiment is not None else ""
    return ("router",) if path.startswith("router/") else ("experiment",) if path == experiment else ()


def _is_in(own: Any, value: str) -> bool:
    """Tell whether a text is a value, or a part of it that is not there by chance."""
    text = value_text(own) if not isinstance(own, bool) else str(own)
    pieces = [piece for piece in _PLACEHOLDER.split(text) if piece]
    return text == value or (len("".join(pieces)) >= _SHORTEST and all(piece in value for piece in pieces))


def _is_rest(value: str, hits: Iterable[Hit]) -> bool:
    """Tell whether a value has a number that none of the texts in it is: then that follows from something else."""
    for source, path in hits:
        for text in (value_text(source.values[path]), str(path[-1])):
            value = value.replace(text, "")
    return any(map(str.isdecimal, value))


def _is_alike(source: Source, path: KeyPath, value: str) -> bool:
    return _is_in(source.values[path], value) or _is_in(path[-1], value)


def _reaches(source: Source, path: KeyPath, place: Place, value: str) -> bool:
    """Tell whether a rendered value is another one without a value of a file; a name is so without its key."""
    return place in source.effects(path) or (_is_in(path[-1], value) and place in source.without(path))


def _reason(data: Any, path: KeyPath) -> str:
    """Return the reason that a file gives for one of its values: next to it, or in its table of reasons."""
    tables = [_at(data, path[:size]) for size in range(len(path) - 1, 0, -1)]
    near = next((table["reason"] for table in tables if isinstance(table, dict) and "reason" in table), "")
    reasons = data.get("reasons", {})
    return str(near or (reasons.get(str(path[-1]), "") if isinstance(reasons, dict) else ""))


def _digested(keys: KeyPath) -> str:
    """Return the file whose digest a value is; nothing for any other."""
    last = str(keys[-1])
    return last.removeprefix(FILE_LABEL) if last.startswith(FILE_LABEL) else file_of_variable(last)


def _key_of_line(text: str, path: str, rest: str, value: Any) -> KeyPath | None:
    """Return the value that begins at a line of a file."""
    if not rest.isdecimal():
        return None
    return next((keys for keys, _ in leaves(value) if keys and line_of(text, path, keys) == int(rest)), None)


def _is_there(value: Any, keys: KeyPath) -> bool:
    for key in keys:
        known = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if key not in known:
            return False
        value = known[key]
    return True


def _at(value: Any, keys: KeyPath) -> Any:
    for key in keys:
        value = value[key]
    return value


def _unknown(text: str, wrong: str, known: Any) -> DiagnosticError:
    remedy = did_you_mean(wrong, list(known)) or "write FILE:ADDRESS of a rendered file, or the key of an inventory"
    return DiagnosticError([Diagnostic(code="unknown-address", detail=f'there is no "{text}"', remedy=remedy)])
