"""Scaffolds the files of a fleet with copier from the template of this installation: all of them, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, printable
from anvil_gen.inventory.fleet import HOSTS
from anvil_gen.onboard.copier_answers import Answers
from anvil_gen.onboard.template_source import Source
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text_files import is_inside

QUESTIONS = "copier.yml"
_COPIER_ERROR = lazy_pattern(
    r"(?:Validation error for|Invalid choice for|Question) (?:question )?['\"](\w+)['\"](?::| is) (.*)", re.DOTALL
)


_NO_NUMBER = lazy_pattern(r"invalid literal for int\(\) with base 10: '(?P<value>.*)'", re.DOTALL)


class AbortedError(Exception):
    """The prompts were aborted; nothing has been written."""


class PostSetup(Struct, frozen=True, kw_only=True):
    """What was created besides the files: a repository, the file of a new key, a volume; and the missing volume.

    ``warnings`` are about what was laid down; ``imported``: the inventory is that of something that may run already.
    """

    repository: bool
    key: Path | None
    volume: str
    missing_volume: str
    warnings: Sequence[Diagnostic] = ()
    imported: bool = False
    dotenv: Path | None = None
    """The variables of what was imported, which the rendered tree does not read."""


class ScaffoldResult(Struct, frozen=True, kw_only=True):
    """What was scaffolded in ``folder``: paths below it."""

    folder: Path
    machine: str
    answers: dict[str, Any]
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that existed already."""

    @property
    def inventory(self) -> Path:
        """The inventory of the new host."""
        return self.folder / HOSTS / f"{self.machine}.toml"


def scaffold(
    folder: Path,
    answers: Answers,
    source: Source,
    *,
    ask: bool,
    check: Callable[[Path], object],
    is_finished: Callable[[Path], bool] = lambda _: True,
) -> ScaffoldResult:
    """Prompt for what is not known, if ``ask`` is set, and write the files; existing files are kept.

    Args:
        folder: the folder of the fleet.
        answers: what is known, and what to suggest.
        source: where later versions of the template are.
        ask: whether prompts are possible.
        check: raises a DiagnosticError if the inventory at the path that it is given has errors.
        is_finished: whether what follows the inventory was done too; if it was not, all files are kept.

    Raises:
        DiagnosticError: an answer is invalid, or the host is in the fleet already. Nothing is left of it.
        AbortedError: the prompts were aborted.
        OSError: the folder cannot be written to. What was written has been removed again.
    """
    with _template() as template, tempfile.TemporaryDirectory() as scratch:
        given = _run_copier(template, Path(scratch), answers, source, ask=ask)
        machine = str(given["machine"])
        inventory = folder / HOSTS / f"{machine}.toml"
        unfinished = os.path.lexists(inventory) and not is_finished(inventory)
        if os.path.lexists(inventory) and not unfinished:
            raise DiagnosticError([_already_in_fleet(inventory, machine)])
        _name_source(Path(scratch) / f".copier-answers.{machine}.yml", source)
        files = sorted(path.relative_to(scratch).as_posix() for path in Path(scratch).rglob("*") if path.is_file())
        again = () if unfinished else (".copier-answers.",)
        new = [file for file in files if not os.path.lexists(folder / file) or file.startswith(again)]
        # The inventory last: without it the host is not in the fleet yet, and a run that was killed can be repeated.
        new.sort(key=lambda file: file == f"{HOSTS}/{machine}.toml")
        _install(Path(scratch), folder, new, lambda: check(inventory))
    kept = tuple(file for file in files if file not in new)
    return ScaffoldResult(folder=folder, machine=machine, answers=given, written=tuple(sorted(new)), kept=kept)


@contextlib.contextmanager
def _template() -> Iterator[Path]:
    """Yield a folder with only the template: from a clone, copier would take the committed files."""
    templates = shipped_templates()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(templates, Path(folder) / "templates")
        shutil.copyfile(templates.parent / QUESTIONS, Path(folder) / QUESTIONS)
        yield Path(folder)


def _run_copier(template: Path, target: Path, answers: Answers, source: Source, *, ask: bool) -> dict[str, Any]:
    import copier  # noqa: PLC0415  half a second, for this alone
    from copier.errors import CopierAnswersInterrupt  # noqa: PLC0415

    known = {**answers.known, "source": source.url, "ref": source.ref}
    try:
        worker = copier.run_copy(
            str(template), target, data=known, user_defaults=answers.suggested, defaults=not ask, quiet=True
        )
    except (CopierAnswersInterrupt, KeyboardInterrupt) as error:
        raise AbortedError from error
    except ValueError as error:
        raise DiagnosticError([_invalid_answer(str(error), answers.known)]) from None
    return dict(worker.answers.combined)


def questions() -> list[str]:
    """Return the names of copier's questions, including computed ones."""
    text = (shipped_templates().parent / QUESTIONS).read_text("utf-8")
    return re.findall(r"^([a-z]\w*):$", text, re.MULTILINE)


def _invalid_answer(text: str, given: Mapping[str, Any]) -> Diagnostic:
    match = _COPIER_ERROR.search(text)
    question, reason = match.groups() if match else ("", text)
    number = _NO_NUMBER.fullmatch(text)
    if number is not None:  # which copier says in the words of Python
        wrong = (name for name, value in given.items() if str(value) == number["value"])
        question, reason = next(wrong, ""), f'"{number["value"]}" is not a whole number'
    return Diagnostic(
        code="invalid-answer",
        detail=f"{question}: {' '.join(reason.split())}" if question else printable(text),
        remedy="see the questions in docs/onboarding.md, and give another answer:\n\n"
        f"    anvil-gen init --data {question or 'QUESTION'}=ANSWER",
    )


def _already_in_fleet(inventory: Path, machine: str) -> Diagnostic:
    return Diagnostic(
        code="host-is-already-in-the-fleet",
        detail=f"edit its inventory; to add another host, use another name than {machine}:",
        remedy="\n    anvil-gen init --data machine=NAME",
        location=Location(file=display_path(inventory)),
    )


def _name_source(answers: Path, source: Source) -> None:
    """Let the answers name the repository and version of this installation, not the temporary folder."""
    text = answers.read_text("utf-8")
    comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    data = yaml.safe_load(text)
    data.pop("_src_path", None)
    named = {"_commit": source.ref, **({"_src_path": source.url} if source.url else {})}
    answers.write_text(
        comment + yaml.safe_dump({**named, **data}, allow_unicode=True, width=10_000), "utf-8", newline="\n"
    )


def _install(scratch: Path, folder: Path, files: list[str], check: Callable[[], object]) -> None:
    """Put files into a folder, and check them; on an error, remove what was put there."""
    placed: list[Path] = []
    path = folder
    try:
        for file in files:
            path = folder / file
            _require_inside(path.parent, folder)
            _make_folder(path.parent, placed)
            unfinished = path.with_name(f".{path.name}.unfinished")
            placed += [path, unfinished]
            unfinished.unlink(missing_ok=True)  # a link that leads elsewhere
            unfinished.write_bytes((scratch / file).read_bytes())
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


def _require_inside(place: Path, folder: Path) -> None:
    """Refuse a link of a cloned fleet."""
    if not is_inside(place, folder):
        raise OSError(errno.ELOOP, f"it leads out of {display_path(folder)}", str(place))


_NO_INVENTORY = Diagnostic(
    code="answers-do-not-make-a-valid-inventory",
    detail="the errors above are in the inventory that they would make; nothing was written",
    remedy="see the questions in docs/onboarding.md, and give other answers:\n\n"
    "    anvil-gen init --data QUESTION=ANSWER",
)


def _make_folder(folder: Path, placed: list[Path]) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        placed.append(path)
