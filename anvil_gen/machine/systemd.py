"""systemd of this machine: of the user who asks, or for root the system's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, DiagnosticError

_STARTED = "%a %Y-%m-%d %H:%M:%S %Z"


class Systemd:
    """The services of one user of this machine."""

    def __init__(self) -> None:
        """Take root's for root, else those of the user."""
        self.is_system = getattr(os, "geteuid", lambda: 1)() == 0

    @property
    def _scope(self) -> tuple[str, ...]:
        return () if self.is_system else ("--user",)

    @property
    def container_folder(self) -> Path:
        """Where Podman looks for units."""
        return Path("/etc/containers/systemd") if self.is_system else _configuration() / "containers" / "systemd"

    @property
    def unit_folder(self) -> Path:
        """Where systemd looks for units."""
        return Path("/etc/systemd/system") if self.is_system else _configuration() / "systemd" / "user"

    def run(self, *arguments: str, program: str = "systemctl") -> int:
        """Run a command of systemd on this terminal; return its exit code.

        Raises:
            DiagnosticError: there is no systemd.
        """
        try:
            return subprocess.run([program, *self._scope, *arguments], check=False).returncode  # noqa: S603
        except FileNotFoundError:
            raise _missing(program) from None

    def started(self, units: Sequence[str]) -> dict[str, float]:
        """Return when each unit that runs was started, in seconds since 1970.

        Raises:
            DiagnosticError: there is no systemd.
        """
        command = ["systemctl", *self._scope, "show", "--property=Id,ActiveState,InactiveExitTimestamp", *units]
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
        except FileNotFoundError:
            raise _missing("systemctl") from None
        found = {}
        for block in done.stdout.split("\n\n"):
            said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            if said.get("ActiveState") in ("active", "activating") and said.get("InactiveExitTimestamp"):
                at = datetime.strptime(said["InactiveExitTimestamp"], _STARTED).replace(tzinfo=UTC)
                found[said["Id"]] = at.timestamp()
        return found


def _configuration() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))  # noqa: PTH111  as systemd does


def _missing(program: str) -> DiagnosticError:
    detail = f"there is no {program} on the PATH of this machine"
    remedy = "run this on the host itself, or start the services there by hand: docs/podman.md"
    return DiagnosticError([Diagnostic(code="systemd-cannot-be-run", detail=detail, remedy=remedy)])
