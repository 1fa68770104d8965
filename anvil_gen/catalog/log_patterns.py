"""What a program's log reports while it starts, what ends it, and what is wrong though it serves: `log.toml`."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.template_tree import LOG_FILE
from anvil_gen.diagnostics import display_path, printable
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import KeyPath

_PLACE = lazy_pattern(r"\{(\w+)\}")
_LONGEST_VALUE = 120


class Stage(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the program does from a line on; the stages are in the order in which they come."""

    words: Annotated[str, Meta(description="What it does, for people.")]
    pattern: Annotated[str, Meta(description="Finds the line with which it begins, as a regular expression.")]
    download: Annotated[
        bool,
        Meta(description="It may fetch weights meanwhile, for as long as that takes: no health check ends the wait."),
    ] = False
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


class Impairment(Failure, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A known reason why a service that is healthy does not do what the inventory says."""

    words: Annotated[str, Meta(description='What is wrong, in words that follow "is healthy, but".')]
    only_with_gpus: Annotated[
        bool, Meta(description="It counts where the tier has GPUs; for others, the line says nothing new.")
    ] = False


class Hang(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Why a start may stand still without a word."""

    cause: Annotated[str, Meta(description="What the reason may be.")]
    remedy: Annotated[str, Meta(description="How to find out, and what to change.")]
    source: Annotated[str, Meta(description="Where it is known from.")]


class LogData(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the log of a program reports while it starts; patterns are searched in one line."""

    stage: Annotated[tuple[Stage, ...], Meta(description="What it does, in order.")] = ()
    failure: Annotated[tuple[Failure, ...], Meta(description="Known reasons not to start.")] = ()
    impairment: Annotated[
        tuple[Impairment, ...], Meta(description="What is wrong with a service although it is healthy.")
    ] = ()
    hang: Annotated[Hang | None, Meta(description="Why a start may stand still without a word.")] = None


class Cause(Struct, frozen=True, kw_only=True):
    """A known failure or impairment as a log reports it, with the values of the line."""

    cause: str
    remedy: str
    source: str
    line: str
    transient: bool = False
    general: bool = False  # by the words of a library, where the program itself may say more
    words: str = ""  # of an impairment


class KnownLog:
    """The patterns of one program's log, and behind them those that any program's may have."""

    def __init__(self, own: LogData, general: LogData, *, with_gpus: bool = False) -> None:
        """Take the data, whose patterns are known to compile; ``with_gpus`` tells whether the service has GPUs."""
        self.hang = own.hang or general.hang
        self._stages = [(re.compile(stage.pattern), stage.words) for stage in own.stage]
        self._downloads = [stage.download for stage in own.stage]
        failures = [(failure, False) for failure in own.failure] + [(failure, True) for failure in general.failure]
        self._failures = [(re.compile(failure.pattern), failure, is_general) for failure, is_general in failures]
        self._impairments = [
            (re.compile(one.pattern), one)
            for one in (*own.impairment, *general.impairment)
            if with_gpus or not one.only_with_gpus
        ]

    @property
    def may_be_impaired(self) -> bool:
        """Tell whether any line could say that something is wrong although the service is healthy."""
        return bool(self._impairments)

    def stage(self, line: str) -> tuple[int, str] | None:
        """Return the number and the words of the stage that begins with a line; None for any other line."""
        return next(((n, words) for n, (pattern, words) in enumerate(self._stages) if pattern.search(line)), None)

    def downloads(self, number: int) -> bool:
        """Tell whether weights may be fetched in the stage of a number."""
        return number >= 0 and self._downloads[number]

    def cause(self, line: str) -> Cause | None:
        """Return the failure that a line reports, if it is known."""
        for pattern, failure, general in self._failures:
            match = pattern.search(line)
            if match is not None:
                return _cause(failure, match, general=general)
        return None

    def impairment(self, line: str) -> Cause | None:
        """Return what a line says is wrong with a service although it is healthy, if it is known."""
        for pattern, impairment in self._impairments:
            match = pattern.search(line)
            if match is not None:
                return _cause(impairment, match, words=impairment.words)
        return None


def _cause(failure: Failure, match: re.Match[str], *, general: bool = False, words: str = "") -> Cause:
    return Cause(
        cause=_filled(failure.cause, match),
        remedy=_filled(failure.remedy, match),
        source=failure.source,
        line=match.string,
        transient=failure.transient,
        general=general,
        words=words,
    )


def known_log(catalog: Catalog, kind: str = "", name: str = "", *, with_gpus: bool = False) -> KnownLog:
    """Return what is known of a program's log: an engine's, a router's, or of any program's for no name.

    Raises:
        DiagnosticError: a data file has errors.
    """
    own = log_data(catalog, f"{kind}/{name}/{LOG_FILE}") if name else LogData()
    return KnownLog(own, log_data(catalog, LOG_FILE), with_gpus=with_gpus)


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
    for key, entries in (("stage", data.stage), ("failure", data.failure), ("impairment", data.impairment)):
        for number, entry in enumerate(entries):
            try:
                groups = re.compile(entry.pattern).groupindex
            except re.error as error:
                yield (key, number, "pattern"), f"it is no regular expression: {error}"
                continue
            for text in ("cause", "remedy") if key != "stage" else ():
                for place in _PLACE.findall(getattr(entry, text)):
                    if place not in groups:
                        yield (key, number, text), f'"{{{place}}}" is no named group of the pattern'


def _filled(text: str, match: re.Match[str]) -> str:
    return _PLACE.sub(lambda place: _short(match[place[1]] or ""), text)


def _short(value: str) -> str:
    value = printable(value.strip())
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
