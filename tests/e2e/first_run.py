"""`scripts/first_run`: what a new user does on a clean machine, by the README; it writes docs/first-run.md."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyte

from e2e.clean_machine import WIDTH, CleanMachine, Ran, clean_machine, save_images
from e2e.engine import running_engine
from e2e.materials import REPOSITORY

PAGE = REPOSITORY / "docs" / "first-run.md"
FLEET = "my-fleet"
ENTER = b"\r"
QUESTIONS = 3
CHUNKS = 4
"""Pieces of the answer's stream that are shown."""
HEAD = """<!-- Written by scripts/first_run: run it again instead of editing. -->

# From nothing to the first word

What a new user types on a clean machine, and what comes back. The machine is Debian 13 with its own packages of Docker,
Compose and pipx, and nothing else: two cores, no GPU. A model lies in `/srv/models`, a real one of 135 million
parameters (SmolLM2, 98 MB). The machine has no network: Python packages are wheels on its disk, and the images are in
its Docker already, so downloads are not in the times.

{commands} commands, {answers} answers, all of them Enter; **{total:.0f} seconds** from the first command to the model's
first word.

| command | seconds |
| --- | --- |
{rows}

"""


class Step(NamedTuple):
    """A command, the folder that it is typed in, how many questions it is answered, and what it waits for."""

    command: str
    folder: str = "/root"
    questions: int = 0
    look_for: Callable[[str], bool] = lambda _text: False


def main() -> int:
    """Play the user, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.tar"
        with running_engine() as engine:
            save_images(engine, images)
            models = engine.model_folder
        with clean_machine(images, models) as machine:
            done = list(_play(machine))
    PAGE.write_text(_page(done), "utf-8", newline="\n")
    return 0


def commands() -> list[str]:
    """Return the commands of the README's first chapter, as they are typed on the machine."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    chapter = readme.partition("\n## Quick start\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\S.*)$", chapter, re.MULTILINE)
    return [line.replace("<host>", "box") for line in lines]


def _play(machine: CleanMachine) -> list[tuple[Step, Ran]]:
    install, init, up = commands()
    done = []
    for step in (Step(install), Step(init, questions=QUESTIONS), Step(up)):
        done.append((step, _run(machine, step)))
    asking = next(line.strip() for line in done[1][1].text.splitlines() if line.strip().startswith("curl "))
    ask = Step(asking, folder=f"/root/{FLEET}", look_for=_has_word)
    done.append((ask, _run(machine, ask)))
    # Not a part of the page: what the fleet's own Makefile installs and runs.
    _run(machine, Step("git add --all && make check", folder=f"/root/{FLEET}"))
    return done


def _run(machine: CleanMachine, step: Step) -> Ran:
    ran = machine.run(step.command, keys=[ENTER] * step.questions, folder=step.folder, look_for=step.look_for)
    if ran.code != 0:
        raise SystemExit(f"$ {step.command}\n{_screen(ran.text)}\nends with {ran.code}")
    return ran


def _has_word(text: str) -> bool:
    return re.search(r'"content":"[^"]*\w', text) is not None


def _page(done: list[tuple[Step, Ran]]) -> str:
    first_word = done[-1][1].seen
    if first_word is None:
        raise SystemExit(f"the model said nothing:\n{done[-1][1].text}")
    seconds = [ran.seconds for _, ran in done[:-1]] + [first_word]
    rows = "\n".join(
        f"| `{_short(step.command)}` | {took:.1f} |" for (step, _), took in zip(done, seconds, strict=True)
    )
    answers = sum(step.questions for step, _ in done)
    head = HEAD.format(commands=len(done), answers=answers, total=sum(seconds), rows=rows)
    return head + "\n".join(f"```console\n$ {step.command}\n{_shown(ran.text)}\n```\n" for step, ran in done)


def _shown(text: str) -> str:
    """Return what a terminal shows, of a stream only the beginning and the end."""
    pieces = re.findall(r"^data: .*?$", text, re.MULTILINE)
    if not pieces:
        return _screen(text)
    return "\n\n".join([*(piece.strip() for piece in pieces[:CHUNKS]), "...", pieces[-1].strip()])


def _short(command: str) -> str:
    return command if len(command) < 60 else f"{command[:40]}…"


def _screen(text: str) -> str:
    """Return what a terminal shows at the end."""
    screen = pyte.Screen(WIDTH, 400)
    pyte.Stream(screen).feed(text)
    lines = [line.rstrip() for line in screen.display]
    shown = "\n".join(lines).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", shown)


if __name__ == "__main__":
    sys.exit(main())
