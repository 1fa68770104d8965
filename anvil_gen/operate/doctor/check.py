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
    """What was looked at, and what was found; ``fault`` is what is wrong with it, None where nothing is."""

    what: str
    found: str = ""
    fault: Diagnostic | None = None

    @property
    def verdict(self) -> Verdict:
        """How it came out: an error fails, a warning does not."""
        if self.fault is None:
            return "pass"
        return "fail" if self.fault.severity == "error" else "warn"


def failed(
    what: str, summary: str, detail: str, remedy: str, *, at: Place = NOWHERE, severity: Severity = "error"
) -> Check:
    """Return a check that did not pass; ``summary`` is constant for its kind, ``remedy`` has a command to paste."""
    fault = Diagnostic(
        summary=summary, detail=detail, remedy=remedy, address=at.address, location=at.location, severity=severity
    )
    return Check(what=what, fault=fault)


def with_severity(check: Check, severity: Severity) -> Check:
    """Return a check that fails for what it would warn of, or warns of what it would fail for."""
    return check if check.fault is None else replace(check, fault=replace(check.fault, severity=severity))


def with_commands(text: str, *commands: str) -> str:
    """Return a remedy: what to do, and the commands that do it, each on its own indented line."""
    lines = "\n".join(f"    {command}" for command in commands)
    return f"{text}:\n\n{lines}"
