"""The demo: `scripts/demo` sets up what it needs, and calls this."""

from __future__ import annotations

import os
import platform
import re
import secrets
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import click

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from e2e.materials import MaterialError, model_folder  # noqa: E402  the tests have the model already

FOLDER = REPOSITORY / ".tools" / "demo"
PAGE = REPOSITORY / "docs" / "demo.md"
INVENTORY = "hosts/cpu-demo.toml"
QUESTION = """{"model": "chat", "stream": true, "max_tokens": 60, "temperature": 0,
        "messages": [{"role": "user", "content": "Write two sentences about the sea."}]}"""
ASK = f"""curl -sN http://127.0.0.1:8000/v1/chat/completions \\
    -H "Authorization: Bearer $ANVIL_ROUTER_TOKEN" -H "Content-Type: application/json" \\
    -d '{QUESTION}' |
  sed -un 's/.*"content":"\\([^"]*\\)".*/\\1/p' | while IFS= read -r word; do printf %s "$word"; done"""
COMMANDS = (
    "anvil-gen render cpu-demo",
    "anvil-gen up cpu-demo --wait",
    "anvil-gen status cpu-demo",
    ASK,
    "anvil-gen up cpu-demo --wait",
)
DOWN = "anvil-gen down cpu-demo"
_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Demo:
    """What has been shown so far, and the environment of the commands."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.shown: list[str] = []
        path = f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "ANVIL_ROUTER_TOKEN": secrets.token_hex(16), "NO_COLOR": "1"}

    def say(self, text: str = "") -> None:
        """Show a line."""
        self.shown.append(text)
        click.echo(text)

    def run(self, command: str) -> None:
        """Show a command, its output as it comes, and its times.

        Raises:
            click.ClickException: it fails, or says nothing at all.
        """
        self.say(f"$ {command}")
        began, first, output = time.monotonic(), 0.0, b""
        with subprocess.Popen(  # noqa: S602  they are shown as a shell takes them
            command,
            shell=True,
            cwd=FOLDER,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            stream = cast("IO[bytes]", process.stdout).fileno()
            while piece := os.read(stream, 65536):
                first = first or time.monotonic() - began
                output += piece
                click.echo(piece.decode("utf-8", "replace"), nl=False)
        seconds = time.monotonic() - began
        lines = _STEERING.sub("", output.decode("utf-8", "replace")).rstrip("\n").split("\n")
        self.shown += [line.rstrip() for line in lines]
        if not output.endswith(b"\n"):
            click.echo()
        streamed = f", first word after {first:.2f} s" if command == ASK else ""
        self.say(f"({seconds:.1f} s{streamed})")
        self.say()
        if process.returncode != 0 or not output:
            raise click.ClickException(f"the command ended with exit code {process.returncode}")


@contextmanager
def taken_down(demo: Demo) -> Iterator[None]:
    """Stop what the demo has started, however it ends."""
    try:
        yield
    finally:
        demo.run(DOWN)


def prepare() -> None:
    """Lay down a fleet with the demo's inventory, its model folder being where the model is.

    Raises:
        click.ClickException: somebody runs the demo already.
        MaterialError: the model cannot be had.
    """
    text = (REPOSITORY / INVENTORY).read_text("utf-8")
    project = tomllib.loads(text)["host"]["project"]
    listing = ["docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
    if subprocess.run(listing, capture_output=True, check=True).stdout.strip():  # noqa: S603
        raise click.ClickException(f"the project {project} has containers already: docker compose ls --all")
    changed, count = re.subn(r"^models = .*$", f'models = "{model_folder().as_posix()}"', text, flags=re.MULTILINE)
    # The tree belongs into the fleet too, not over the example.
    changed = re.sub(r"^(output = .*|#:schema .*)\n", "", changed, flags=re.MULTILINE)
    if count != 1:
        raise click.ClickException(f"{INVENTORY} has no models folder")
    (FOLDER / "hosts").mkdir(parents=True, exist_ok=True)
    (FOLDER / INVENTORY).write_text(changed, "utf-8", newline="\n")


def page(demo: Demo, *, own_engine: bool) -> str:
    """Return what was shown as a page."""
    engine = "the tests' Docker daemon" if own_engine else "a Docker daemon of its own"
    machine = f"{os.cpu_count()} cores ({platform.machine()}), no GPU and {engine}"
    head = f"""<!-- Written by scripts/demo --write. -->

# From nothing to the first word

`make demo` starts [hosts/cpu-demo.toml](../hosts/cpu-demo.toml): a real, small model on the processor, behind the
router. It needs no GPU. It installs what it needs, uses Docker as it is on the machine (where none runs, root on Debian
gets a daemon of the clone's own: [testing.md](testing.md)), and stops what it has started.

Below is what it has printed on a machine with {machine}.
The commands are run in a folder whose `hosts/cpu-demo.toml` names the place of the model.

```console
"""
    return head + "\n".join(demo.shown).rstrip("\n") + "\n```\n"


@click.command()
@click.option("--began", type=float, help="When the set-up began, as seconds since the epoch.")
@click.option("--own-engine", is_flag=True, help="The engine is the tests' own.")
@click.option("--write", is_flag=True, help="Keep what is shown in docs/demo.md.")
def main(began: float | None, *, own_engine: bool, write: bool) -> None:
    """Run the demo."""
    demo = Demo()
    began = time.time() if began is None else began
    try:
        prepare()
    except MaterialError as error:
        raise click.ClickException(str(error)) from None
    demo.say(f"# set-up, Docker engine and model are there after {time.time() - began:.0f} s")
    demo.say()
    with taken_down(demo):
        for command in COMMANDS:
            demo.run(command)
        demo.say(f"# from nothing to the whole answer: {time.time() - began:.0f} s")
        demo.say()
    if write:
        PAGE.write_text(page(demo, own_engine=own_engine), "utf-8", newline="\n")
        click.echo(f"wrote {PAGE.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
