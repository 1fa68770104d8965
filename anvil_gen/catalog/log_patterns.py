"""What a program's log reports while it starts, and what ends it: `log.toml` of an engine or router."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.template_tree import LOG_FILE
from anvil_gen.diagnostics import display_path, printable
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath

_PLACE = re.compile(r"\{(\w+)\}")
_LONGEST_VALUE = 120


class Stage(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the program does from a line on; the stages are in the order in which they come."""

    words: Annotated[str, Meta(description="What it does, for people.")]
    pattern: Annotated[str, Meta(description="Finds the line with which it begins, as a regular expression.")]
    example: Annotated[str, Meta(description="A line that the pattern finds, as the program prints it.")] = ""


class Failure(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A known reason not to start."""

    pattern: Annotated[str, Meta(description="Finds the line that reports it, as a regular expression.")]
    cause: Annotated[str, Meta(description="What is wrong; `{name}` is what the group of that name found in the line.")]
    remedy: Annotated[str, Meta(description="What to change, in the keys of the inventory; `{name}` likewise.")]
    source: Annotated[
        str, Meta(description="Where it is known from: an issue of the program, or the file that prints it.")
    ] = ""
    example: Annotated[str, Meta(description="A line that the pattern finds, as the program prints it.")] = ""
    transient: Annotated[bool, Meta(description="It may have passed by the next attempt.")] = False


class LogData(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the log of a program reports while it starts; patterns are searched in one line."""

    stage: Annotated[tuple[Stage, ...], Meta(description="What it does, in order.")] = ()
    failure: Annotated[tuple[Failure, ...], Meta(description="Known reasons not to start.")] = ()


class Cause(Struct, frozen=True, kw_only=True):
    """A known failure as a log reports it, with the values of the line."""

    cause: str
    remedy: str
    source: str
    line: str
    transient: bool = False
    general: bool = False  # by the words of a library, where the program itself may say more


class KnownLog:
    """The patterns of one program's log, and behind them those that any program's may have."""

    def __init__(self, own: LogData, general: LogData) -> None:
        """Take the data, whose patterns are known to compile."""
        self._stages = [(re.compile(stage.pattern), stage.words) for stage in own.stage]
        failures = [(failure, False) for failure in own.failure] + [(failure, True) for failure in general.failure]
        self._failures = [(re.compile(failure.pattern), failure, is_general) for failure, is_general in failures]

    def stage(self, line: str) -> tuple[int, str] | None:
        """Return the number and the words of the stage that begins with a line; None for any other line."""
        return next(((n, words) for n, (pattern, words) in enumerate(self._stages) if pattern.search(line)), None)

    def cause(self, line: str) -> Cause | None:
        """Return the failure that a line reports, if it is known."""
        for pattern, failure, general in self._failures:
            match = pattern.search(line)
            if match is not None:
                return Cause(
                    cause=_filled(failure.cause, match),
                    remedy=_filled(failure.remedy, match),
                    source=failure.source,
                    line=line,
                    transient=failure.transient,
                    general=general,
                )
        return None


def known_log(catalog: Catalog, kind: str = "", name: str = "") -> KnownLog:
    """Return what is known of a program's log: an engine's, a router's, or of any program's for no name.

    Raises:
        DiagnosticError: a data file has errors.
    """
    own = log_data(catalog, f"{kind}/{name}/{LOG_FILE}") if name else LogData()
    return KnownLog(own, log_data(catalog, LOG_FILE))


def log_data(catalog: Catalog, path: str) -> LogData:
    """Return the data file of a path below the templates; empty where there is none.

    Raises:
        DiagnosticError: it has errors.
    """
    found = catalog.find(path)
    if found is None:
        return LogData()
    shipped = found.is_relative_to(catalog.roots[-1])
    return decoded(
        Document(found, display=f"templates/{path}" if shipped else display_path(found)), LogData, _semantic_errors
    )


def _semantic_errors(data: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield patterns that do not compile, and places in texts that no pattern fills."""
    for key, entries in (("stage", data.stage), ("failure", data.failure)):
        for number, entry in enumerate(entries):
            try:
                groups = re.compile(entry.pattern).groupindex
            except re.error as error:
                yield (key, number, "pattern"), f"it is no regular expression: {error}"
                continue
            for text in ("cause", "remedy") if key == "failure" else ():
                for place in _PLACE.findall(getattr(entry, text)):
                    if place not in groups:
                        yield (key, number, text), f'"{{{place}}}" is no named group of the pattern'


def _filled(text: str, match: re.Match[str]) -> str:
    return _PLACE.sub(lambda place: _short(match[place[1]] or ""), text)


def _short(value: str) -> str:
    value = printable(value.strip())
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
