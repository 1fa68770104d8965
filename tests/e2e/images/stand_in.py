"""Runs inside a stand-in image: takes another engine's command line, and becomes llama.cpp's server.

What an engine does before it serves, and how it fails, is played by variables of the container:

- `STAND_IN_LOG`: text that is printed first, as the engine's log
- `STAND_IN_SECONDS`: how long loading takes
- `STAND_IN_EXIT`: the exit code with which it ends after that, instead of serving

A flag that starts with `--no-such-` is unknown, with argparse's message and exit code 2.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

CONTEXT_LIMIT = 2048
"""In tokens: what is asked for above it costs memory that a test machine lacks."""


class Names(NamedTuple):
    """What an engine calls things: its program, and its flags for the served names and the context length."""

    program: str
    served: str
    context: str


def serve(arguments: list[str], names: Names, *extra: str) -> NoReturn:
    """Become llama-server with what the arguments say, and `extra` arguments of its own."""
    model, flags = parsed(arguments)
    refuse_unknown(names.program, flags)
    given = [*flags.get("model-path", []), *flags.get("model-id", []), *flags.get("model", []), *model]
    if not given:
        sys.exit(f"{names.program}: error: no model is given")
    act()
    context = min(int(one(flags, names.context, str(CONTEXT_LIMIT))), CONTEXT_LIMIT)
    command = ["/app/llama-server", "--model", str(weights(given[0]))]
    command += ["--alias", ",".join(flags.get(names.served, [given[0]])), "--ctx-size", str(context), "--parallel", "1"]
    command += ["--host", one(flags, "host", one(flags, "hostname", "127.0.0.1")), "--port", one(flags, "port", "8000")]
    os.execv(command[0], [*command, "--jinja", "--no-webui", *extra])


def parsed(arguments: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the arguments before the first flag, and each flag's values; both `--a=b` and `--a b c` are read."""
    first: list[str] = []
    flags: dict[str, list[str]] = {}
    values = first
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            values = flags.setdefault(name, [])
            values += [value] if equals else []
        else:
            values.append(argument)
    return first, flags


def one(flags: dict[str, list[str]], name: str, default: str) -> str:
    """Return a flag's last value."""
    return [default, *flags.get(name, [])][-1]


def refuse_unknown(program: str, flags: dict[str, list[str]]) -> None:
    """End as argparse does when a flag is unknown."""
    unknown = [f"--{name}" for name in flags if name.startswith("no-such-")]
    if unknown:
        sys.stderr.write(f"usage: {program} [options]\n{program}: error: unrecognized arguments: {' '.join(unknown)}\n")
        sys.exit(2)


def act() -> None:
    """Play what the container's variables ask for."""
    if "STAND_IN_LOG" in os.environ:
        sys.stderr.write(os.environ["STAND_IN_LOG"] + "\n")
        sys.stderr.flush()
    time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))
    if "STAND_IN_EXIT" in os.environ:
        sys.exit(int(os.environ["STAND_IN_EXIT"]))


def weights(model: str) -> Path:
    """Return the GGUF file of a model: a file, a folder with one in it, or a repository's folder in the hub's cache."""
    hub = Path.home() / ".cache/huggingface/hub" / f"models--{model.replace('/', '--')}"
    for place in (Path(model), hub):
        found = [place] if place.is_file() else sorted(place.rglob("*.gguf"))
        if found:
            return found[0]
    sys.exit(f"OSError: {model} is not a local folder and is not a valid model identifier listed on the hub")
