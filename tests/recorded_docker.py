"""An engine whose answers are written down: for what no real one can be brought to say in a test of a millisecond."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from anvil_gen.operate.docker import Docker


class Recorded(Docker):
    """Docker that answers by the first words of a command; anything else fails as an unknown command does."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        """Answer each command that begins with a key by its text."""
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        """This machine's own engine."""
        return ""

    def command(self, *arguments: str) -> list[str]:
        """Return a program that prints the answer."""
        words = " ".join(arguments)
        self.asked.append(words)
        found = next((answer for begins, answer in self.answers.items() if words.startswith(begins)), None)
        if found is None:
            return [sys.executable, "-c", f"import sys; sys.exit({f'docker: unknown command: {words}'!r})"]
        return [sys.executable, "-c", "import sys; sys.stdout.write(sys.argv[1])", found]

    def run(
        self, *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command wherever it is meant to be."""
        return super().run(*arguments, folder=None, variables=variables)
