"""A single check and its result."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, Location, Severity

Verdict = Literal["pass", "warn", "fail"]


class Place(NamedTuple):
    """Where an inventory sets what is checked."""

    address: str
    location: Location | None


NOWHERE = Place("", None)


class Check(Struct, frozen=True, kw_only=True):
    """What was checked, and what was found; ``diagnostic`` is the problem, None if there is none."""

    what: str
    found: str = ""
    diagnostic: Diagnostic | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict: an error fails, a warning does not."""
        if self.diagnostic is None:
            return "pass"
        return "fail" if self.diagnostic.severity == "error" else "warn"


def failed(
    what: str, code: str, detail: str, remedy: str, *, at: Place = NOWHERE, severity: Severity = "error"
) -> Check:
    """Return a failed check; ``code`` is its kind, ``remedy`` contains a command to paste."""
    diagnostic = Diagnostic(
        code=code, detail=detail, remedy=remedy, address=at.address, location=at.location, severity=severity
    )
    return Check(what=what, diagnostic=diagnostic)


def with_severity(check: Check, severity: Severity) -> Check:
    """Return the same check with its diagnostic at another severity."""
    return (
        check if check.diagnostic is None else replace(check, diagnostic=replace(check.diagnostic, severity=severity))
    )


def with_commands(text: str, *commands: str) -> str:
    """Return a remedy: what to do, and the commands that do it, each on its own indented line."""
    lines = "\n".join(f"    {command}" for command in commands)
    return f"{text}:\n\n{lines}"
