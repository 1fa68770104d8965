"""Run lines as a project of Compose: `docker run` and `podman run`, with every spelling of their options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.importing.command import shell_word
from anvil_gen.importing.compose_files import Project, project_name, project_of
from anvil_gen.importing.declared import declared
from anvil_gen.importing.names import free_name
from anvil_gen.importing.run_options import LOST, OF_THE_RUN, OPTIONS, SHORT, SWITCHES, VALUES_OF_THE_RUN
from anvil_gen.importing.shell_lines import Line, command_lines
from anvil_gen.importing.shell_words import Word
from anvil_gen.importing.texts import plain

_PROGRAMS = ("docker", "podman", "nvidia-docker", "nerdctl")
_BEFORE = ("sudo", "exec", "nohup", "time")


class RunFound(Struct, kw_only=True):
    """The services of run lines, and what is lost of them, by service."""

    services: dict[str, dict[str, Any]] = {}
    places: dict[str, int] = {}
    lost: list[str] = []


def looks_like_run_lines(text: str) -> bool:
    """Tell whether a text has run lines, and is no compose file."""
    return re.search(r"(?m)^\s*(?:\$ )?(?:[\w./=-]+ )*(?:docker|podman|nerdctl)\b[^\n]*\brun\b", text) is not None


def read_run_lines(text: str, shown: str, folder: Path, driver: str) -> Project:
    """Return the project of the run lines in a text.

    Raises:
        DiagnosticError: it has none, or one names no image.
    """
    found = RunFound(services={}, places={}, lost=[])
    for line in command_lines(text):
        words = _arguments(line)
        if words is not None:
            _take(words, line, found, shown, driver)
    if not found.services:
        raise _refused(shown, "it has no line with docker run or podman run", None)
    return project_of(
        name=project_name(None, folder),
        folder=folder,
        tables={"services": found.services, **_declared(found.services)},
        shown=shown,
        lines=found.places,
        lost=found.lost,
    )


def _refused(file: str, detail: str, line: int | None) -> DiagnosticError:
    location = Location(file=file, line=line)
    return DiagnosticError([Diagnostic(code="no-run-line", detail=detail, location=location)])


def _arguments(line: Line) -> list[Word] | None:
    """Return the arguments of a run; None for any other command."""
    words = list(line.words)
    while words and (words[0].text in _BEFORE or re.fullmatch(r"[A-Za-z_]\w*=.*|-[A-Za-z]+", words[0].text)):
        words.pop(0)
    if len(words) < 2 or Path(words[0].text).name not in _PROGRAMS:
        return None
    place = next((at for at, word in enumerate(words[1:], 1) if not word.text.startswith("-")), 0)
    if words[place].text == "container":
        place += 1
    if place >= len(words) or words[place].text not in ("run", "create"):
        return None
    return words[place + 1 :]


def _take(words: list[Word], line: Line, found: RunFound, shown: str, driver: str) -> None:
    service: dict[str, Any] = {}
    rest = iter(words)
    image = None
    for word in rest:
        if not word.text.startswith("-") or word.text == "-":
            image = word
            break
        for option in _options(word.text, rest):
            _option(service, option, found, shown, line)
    if image is None:
        raise _refused(shown, "it names no image", line.number)
    command = list(rest)
    name = _service_name(service, image.text, found.services)
    entrypoint = service.pop("entrypoint", None)
    service = {"image": image.text, **service}
    service |= {"entrypoint": [entrypoint]} if entrypoint else {}
    service |= {"command": _command(command)} if command else {}
    found.services[name] = _with_driver(service, driver)
    found.places[name] = line.number
    if line.rest and not line.rest.startswith(("docker", "podman")):
        found.lost.append(f"{name}: what follows on its line is no part of a container: {line.rest[:60]}")


def _command(words: list[Word]) -> Any:
    """Return a command as Compose has it: a text where a variable may be several words, else a list."""
    if any(word.may_vanish for word in words):
        return " ".join(map(shell_word, words))
    return [word.text for word in words]


def _options(word: str, rest: Iterator[Word]) -> Iterator[tuple[str, str]]:
    """Yield the options that a word has, taking the values that follow it."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        takes = name in OPTIONS or name in VALUES_OF_THE_RUN
        is_switch = name in SWITCHES or name in OF_THE_RUN
        if not equals and (takes or not is_switch):
            value = _next(rest)
        yield name, value if equals or takes or not is_switch else "true"
        return
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter, letter)
        if name in SWITCHES or name in OF_THE_RUN:
            yield name, "true"
            continue
        yield name, letters.removeprefix("=") if letters else _next(rest)
        letters = ""


def _next(rest: Iterator[Word]) -> str:
    word = next(rest, None)
    return "" if word is None else word.text


def _option(service: dict[str, Any], option: tuple[str, str], found: RunFound, shown: str, line: Line) -> None:
    name, value = option
    if name in OPTIONS:
        try:
            OPTIONS[name](service, value)
        except (ValueError, IndexError, AttributeError, TypeError):
            raise _refused(
                shown, f"--{name} {value}: it is not of the form that the option takes", line.number
            ) from None
    elif name in SWITCHES:
        key, meant = SWITCHES[name]
        if value not in ("false", "0"):
            service[key] = meant
    elif name not in OF_THE_RUN or name in LOST:
        found.lost.append(f"line {line.number}: --{name}: Compose has nothing for it")


def _service_name(service: dict[str, Any], image: str, taken: dict[str, Any]) -> str:
    """Return a service's name: its container's, else that of its image."""
    named = plain(service.get("container_name", "")) or re.split(r"[:@]", plain(image).rsplit("/", 1)[-1])[0]
    name = re.sub("[^A-Za-z0-9._-]+", "-", named).strip("-._") or "service"
    return free_name(name, taken)


def _with_driver(service: dict[str, Any], driver: str) -> dict[str, Any]:
    text = json.dumps(service).replace('"${DRIVER}"', json.dumps(driver))
    found: dict[str, Any] = json.loads(text)
    return found


def _declared(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the volumes and networks of run lines: they are Docker's, and no project's own."""
    return declared(services.values(), lambda _: {"external": True})
