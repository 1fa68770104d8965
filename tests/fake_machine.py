"""A machine that tests make up: its programs, and what its kernel tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cards import Card as PretendedCard
from e2e.cards import nvidia_smi  # the text of a program

from anvil_gen.machine.subprocesses import Answer, Run, run_program

WSL2_KERNEL = "5.15.167.4-microsoft-standard-WSL2"
LINUX_KERNEL = "6.1.0-28-amd64"


def no_programs(command: Sequence[str]) -> Answer:
    """Answer as on a machine that has none."""
    return Answer(stderr="not found on the PATH")


def programs(answers: Mapping[str, Answer]) -> Run:
    """Return a `Run` that has one answer for each program."""
    return lambda command: answers.get(command[0], no_programs(command))


def nvidia(*cards: PretendedCard) -> Run:
    """Return a `Run` whose only program is an `nvidia-smi` that lists cards; it is run for real."""
    text = nvidia_smi(cards)
    return lambda command: (
        run_program(["sh", "-c", text, *command]) if command[0] == "nvidia-smi" else no_programs(command)
    )


def kernel(root: Path, files: Mapping[str, str]) -> Path:
    """Write the kernel's files below a folder, and return it."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return root
