"""One thing that was looked at, and what came out."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, Location, Severity

Verdict = Literal["pass", "warn", "fail"]


class Place(NamedTuple):
    """Where an inventory says what is looked at."""

    address: str
    location: Location | None


NOWHERE = Place("", None)


class Check(Struct, frozen=True, kw_only=True):
    """What was looked at, and what was found; ``diagnostic`` is what is wrong with it, None where nothing is."""

    what: str
    found: str = ""
    diagnostic: Diagnostic | None = None

    @property
    def verdict(self) -> Verdict:
        """How it came out: an error fails, a warning does not."""
        if self.diagnostic is None:
            return "pass"
        return "fail" if self.diagnostic.severity == "error" else "warn"


def failed(
    what: str, summary: str, detail: str, remedy: str, *, at: Place = NOWHERE, severity: Severity = "error"
) -> Check:
    """Return a check that did not pass; ``summary`` is constant for its kind, ``remedy`` has a command to paste."""
    diagnostic = Diagnostic(
        summary=summary, detail=detail, remedy=remedy, address=at.address, location=at.location, severity=severity
    )
    return Check(what=what, diagnostic=diagnostic)


def with_severity(check: Check, severity: Severity) -> Check:
    """Return a check that fails for what it would warn of, or warns of what it would fail for."""
    return (
        check if check.diagnostic is None else replace(check, diagnostic=replace(check.diagnostic, severity=severity))
    )


def with_commands(text: str, *commands: str) -> str:
    """Return a remedy: what to do, and the commands that do it, each on its own indented line."""
    lines = "\n".join(f"    {command}" for command in commands)
    return f"{text}:\n\n{lines}"
