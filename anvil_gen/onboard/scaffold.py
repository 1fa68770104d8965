"""Files for a fleet, made by copier from the template of this installation: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.catalog.catalog import shipped_templates
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, printable
from anvil_gen.inventory.fleet import HOSTS
from anvil_gen.onboard.copier_answers import Answers
from anvil_gen.onboard.template_source import Source

QUESTIONS = "copier.yml"
_REFUSED = re.compile(r"(?:Validation error for|Invalid choice for) (?:question )?'(\w+)': (.*)", re.DOTALL)


class AbortedError(Exception):
    """Somebody broke the questions off; nothing has been written."""


class PostSetup(Struct, frozen=True, kw_only=True):
    """What was made beside the files: a repository, the file of a new key, a volume. And the volume that is missing."""

    repository: bool
    key: Path | None
    volume: str
    missing_volume: str


class ScaffoldResult(Struct, frozen=True, kw_only=True):
    """What was laid down in ``folder``: paths below it."""

    folder: Path
    machine: str
    answers: dict[str, Any]
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there already."""

    @property
    def inventory(self) -> Path:
        """The machine's inventory."""
        return self.folder / HOSTS / f"{self.machine}.toml"


def scaffold(
    folder: Path, answers: Answers, source: Source, *, ask: bool, check: Callable[[Path], object]
) -> ScaffoldResult:
    """Ask what is not known, where ``ask`` is set, and write the files; those that are there already are kept.

    Args:
        folder: that of the fleet.
        answers: what is known, and what to suggest.
        source: where later versions of the template are.
        ask: whether there is somebody to ask.
        check: raises a DiagnosticError where the inventory that it is given, in its place, is faulty.

    Raises:
        DiagnosticError: an answer cannot be, or the machine is in the fleet already. Nothing of it is left.
        BrokenOffError: somebody broke the questions off.
        OSError: the folder cannot be written to. What was written has been removed again.
    """
    with _template() as template, tempfile.TemporaryDirectory() as made:
        given = _copied(template, Path(made), answers, source, ask=ask)
        machine = str(given["machine"])
        inventory = folder / HOSTS / f"{machine}.toml"
        if os.path.lexists(inventory):
            raise DiagnosticError([_known(inventory, machine)])
        _name_source(Path(made) / f".copier-answers.{machine}.yml", source)
        files = sorted(path.relative_to(made).as_posix() for path in Path(made).rglob("*") if path.is_file())
        new = [file for file in files if not os.path.lexists(folder / file) or file.startswith(".copier-answers.")]
        # The inventory last: without it the machine is not in the fleet yet, and a run that was killed can be repeated.
        new.sort(key=lambda file: file == f"{HOSTS}/{machine}.toml")
        _place(Path(made), folder, new, lambda: check(inventory))
    kept = tuple(file for file in files if file not in new)
    return ScaffoldResult(folder=folder, machine=machine, answers=given, written=tuple(sorted(new)), kept=kept)


@contextlib.contextmanager
def _template() -> Iterator[Path]:
    """Yield a folder with the template alone: of a clone, copier would take what is committed there."""
    templates = shipped_templates()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(templates, Path(folder) / "templates")
        shutil.copyfile(templates.parent / QUESTIONS, Path(folder) / QUESTIONS)
        yield Path(folder)


def _copied(template: Path, made: Path, answers: Answers, source: Source, *, ask: bool) -> dict[str, Any]:
    import copier  # noqa: PLC0415  half a second, for this alone
    from copier.errors import CopierAnswersInterrupt  # noqa: PLC0415

    known = {**answers.known, "source": source.url, "ref": source.ref}
    try:
        worker = copier.run_copy(
            str(template), made, data=known, user_defaults=answers.suggested, defaults=not ask, quiet=True
        )
    except (CopierAnswersInterrupt, KeyboardInterrupt) as error:
        raise AbortedError from error
    except ValueError as error:
        raise DiagnosticError([_refused(str(error))]) from None
    return dict(worker.answers.combined)


def questions() -> list[str]:
    """Return the names of what copier asks, and of what it works out and may be given."""
    text = (shipped_templates().parent / QUESTIONS).read_text("utf-8")
    return re.findall(r"^([a-z]\w*):$", text, re.MULTILINE)


def _refused(text: str) -> Diagnostic:
    match = _REFUSED.search(text)
    question, reason = match.groups() if match else ("", text)
    return Diagnostic(
        summary="answer that cannot be",
        detail=f"{question}: {' '.join(reason.split())}" if question else printable(text),
        remedy="docs/onboarding.md has the questions; give another answer:\n\n"
        f"    anvil-gen init --data {question or 'QUESTION'}=ANSWER",
    )


def _known(inventory: Path, machine: str) -> Diagnostic:
    return Diagnostic(
        summary="machine that is in the fleet already",
        detail=f"its inventory is yours to edit; for another machine, another name than {machine}:",
        remedy="\n    anvil-gen init --data machine=NAME",
        location=Location(file=display_path(inventory)),
    )


def _name_source(answers: Path, source: Source) -> None:
    """Let the answers name the repository and the version that this installation is of, instead of a passing folder."""
    text = answers.read_text("utf-8")
    comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    data = yaml.safe_load(text)
    data.pop("_src_path", None)
    named = {"_commit": source.ref, **({"_src_path": source.url} if source.url else {})}
    answers.write_text(
        comment + yaml.safe_dump({**named, **data}, allow_unicode=True, width=10_000), "utf-8", newline="\n"
    )


def _place(made: Path, folder: Path, files: list[str], check: Callable[[], object]) -> None:
    """Put files into a folder, and check them; on an error, take back what was put."""
    placed: list[Path] = []
    path = folder
    try:
        for file in files:
            path = folder / file
            _make_folder(path.parent, placed)
            unfinished = path.with_name(f".{path.name}.unfinished")
            placed += [path, unfinished]
            unfinished.write_bytes((made / file).read_bytes())
            unfinished.rename(path)
        check()
    except (OSError, KeyboardInterrupt, DiagnosticError) as error:
        for done in reversed(placed):
            with contextlib.suppress(OSError):
                done.rmdir() if done.is_dir() else done.unlink()
        if isinstance(error, KeyboardInterrupt):
            raise AbortedError from error
        if isinstance(error, DiagnosticError):
            raise DiagnosticError([*error.diagnostics, _NO_INVENTORY]) from None
        raise OSError(error.errno, error.strerror, str(path)) from None


_NO_INVENTORY = Diagnostic(
    summary="answers that make no inventory",
    detail="what is above is of the inventory that they would make; nothing was laid down",
    remedy="docs/onboarding.md has the questions; give other answers:\n\n    anvil-gen init --data QUESTION=ANSWER",
)


def _make_folder(folder: Path, placed: list[Path]) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        placed.append(path)
