"""The verbs for a host whose services are units of systemd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, join_words
from anvil_gen.machine.systemd import Systemd
from anvil_gen.operate.deployment import Deployment
from anvil_gen.resolve.model import Mode

_CONTAINER = ".container"


class SystemdUnits:
    """The units of a host: what was rendered, and where systemd and Podman find it."""

    def __init__(self, deployment: Deployment, target: str) -> None:
        """Take a host and the name of its target."""
        self._deployment = deployment
        self._target = target
        self._folder = deployment.host.output / target
        self._project = deployment.host.project
        self._systemd = Systemd()

    def up(self, tiers: Sequence[str], mode: str | None, *, wait: bool) -> int:
        """Start what is rendered: all of a mode, or some tiers; what has changed since it was started starts again.

        Raises:
            DiagnosticError: the files are not what the inventory renders, something is where they have to be linked,
                or there is no such mode or tier.
        """
        chosen = self._deployment.mode(mode)
        units = self._units(chosen, tiers)
        self._require_rendered()
        self._link(self._systemd.container_folder / self._project, self._folder)
        for path in sorted((self._folder / "systemd").iterdir()):
            self._link(self._systemd.unit_folder / path.name, path)
        now = () if wait else ("--no-block",)
        code = self._systemd.run("daemon-reload")
        changed = list(self._changed(units))
        if code == 0 and changed:
            code = self._systemd.run("restart", *now, *changed)
        # A target starts even where its units do not: their own jobs tell.
        return code or self._systemd.run("start", *now, *([] if tiers else [self._mode_unit(chosen)]), *units)

    def down(self, tiers: Sequence[str], mode: str | None) -> int:
        """Stop some tiers, or everything of every mode.

        Raises:
            DiagnosticError: there is no such mode or tier.
        """
        every = [self._mode_unit(one) for one in self._deployment.stack.modes]
        chosen = self._units(self._deployment.mode(mode), tiers) if tiers else [*every, *self._all()]
        return self._systemd.run("stop", *chosen)

    def status(self, mode: str | None) -> int:
        """Print the state of each unit of a mode."""
        units = self._units(self._deployment.mode(mode), ())
        return self._systemd.run("list-units", "--all", "--full", "--no-pager", *units)

    def logs(self, tiers: Sequence[str], mode: str | None, *, follow: bool, tail: int | None) -> int:
        """Print what the units have logged.

        Raises:
            DiagnosticError: there is no such mode or tier.
        """
        options = ["--no-pager", *(["--follow"] if follow else []), *([f"--lines={tail}"] if tail is not None else [])]
        units = [f"--unit={unit}" for unit in self._units(self._deployment.mode(mode), tiers)]
        return self._systemd.run(*options, *units, program="journalctl")

    def _mode_unit(self, mode: Mode) -> str:
        return f"{self._project}{f'-{mode.name}' if mode.name else ''}.target"

    def _units(self, mode: Mode, tiers: Sequence[str]) -> list[str]:
        """Return the units of some services of a mode; those of its router have a name of their own in each."""
        own = mode.router_file != self._deployment.stack.modes[0].router_file
        routers = {mode.router.service, mode.router.reload_service} if mode.router is not None and own else set()
        return [
            f"{self._project}-{name}{f'-{mode.name}' if name in routers else ''}.service"
            for name in self._deployment.services(mode, tiers)
        ]

    def _all(self) -> list[str]:
        return [f"{path.stem}.service" for path in sorted(self._folder.glob(f"*{_CONTAINER}"))]

    def _changed(self, units: Sequence[str]) -> Iterator[str]:
        """Yield the units that run since before their file was written."""
        for unit, started in self._systemd.started(units).items():
            path = self._folder / f"{unit.removesuffix('.service')}{_CONTAINER}"
            if path.is_file() and path.stat().st_mtime > started:
                yield unit

    def _require_rendered(self) -> None:
        plan = generator().render(self._deployment.host.path, target=self._target)
        if plan.files:
            remedy = f"render, review, and run this again:\n\n    {plan.host.command}"
            detail = join_words((change.path for change in plan.files), limit=6)
            location = Location(file=display_path(self._folder))
            code = "files-do-not-match-the-inventory"
            raise DiagnosticError([Diagnostic(code=code, detail=detail, remedy=remedy, location=location)])

    @staticmethod
    def _link(place: Path, target: Path) -> None:
        """Make a link to what is rendered, where there is none.

        Raises:
            DiagnosticError: something else is there.
        """
        if place.is_symlink() and place.readlink() == target:
            return
        if place.is_symlink() or place.exists():
            detail, remedy = f"it is no link to {display_path(target)}", "move it away, and run this again"
            location = Location(file=str(place))
            raise DiagnosticError(
                [Diagnostic(code="something-is-in-the-way", detail=detail, remedy=remedy, location=location)]
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
