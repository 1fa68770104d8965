"""A stand-in for NVIDIA's container runtime hook, which lets a daemon without cards grant them.

A daemon that finds `nvidia-container-runtime-hook` on its PATH accepts `driver: nvidia` reservations: it puts the
granted UUIDs into NVIDIA_VISIBLE_DEVICES of the container's first process, and has the hook run before that starts.
This one writes an `nvidia-smi` into the container that lists exactly what was granted, and refuses a card that the
machine lacks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.cards import Card, write_nvidia_smi

FOLDER_VARIABLE = "ANVIL_GEN_TEST_GPUS"
CARDS_FILE = "cards.json"
IGNORE_PINS_FILE = "ignore-pins"
NO_CARDS = ("", "void", "none")


def install(folder: Path, cards: Sequence[Card]) -> dict[str, str]:
    """Put the hook and the machine's cards into a folder, and return the daemon's variables that make it use them."""
    hook = programs(folder) / "nvidia-container-runtime-hook"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {__spec__.name} "$@"\n', "utf-8")
    hook.chmod(0o755)
    (folder / CARDS_FILE).write_text(json.dumps(cards), "utf-8")
    packages = str(Path(__file__).resolve().parents[1])
    return {"PATH": f"{hook.parent}:{os.environ['PATH']}", "PYTHONPATH": packages, FOLDER_VARIABLE: str(folder)}


def programs(folder: Path) -> Path:
    """Return where the hook lies, by the folder that it is installed into."""
    return folder / "bin"


def granted(wanted: str, cards: Sequence[Card]) -> list[Card]:
    """Return the cards that a container asks for, by UUID or index.

    Raises:
        LookupError: the machine has no such GPU.

    """
    if wanted in NO_CARDS:
        return []
    if wanted == "all":
        return [*cards]
    by_name = {name: card for index, card in enumerate(cards) for name in (str(index), card.uuid)}
    return [by_name[name] for name in wanted.split(",")]


def main() -> int:
    """Grant cards to the container whose OCI state comes on stdin."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    bundle = Path(json.load(sys.stdin)["bundle"])
    config = json.loads((bundle / "config.json").read_text("utf-8"))
    variables = dict(text.split("=", 1) for text in config["process"]["env"])
    machine = [Card(*row) for row in json.loads((folder / CARDS_FILE).read_text("utf-8"))]
    wanted = "all" if (folder / IGNORE_PINS_FILE).exists() else variables.get("NVIDIA_VISIBLE_DEVICES", "")
    try:
        cards = granted(wanted, machine)
    except LookupError as error:
        sys.stderr.write(f"nvidia-container-cli: device error: {error.args[0]}: unknown device\n")
        return 1
    # A relative root is relative to the bundle, by the OCI specification.
    write_nvidia_smi(bundle / config["root"]["path"] / "usr/bin/nvidia-smi", cards)
    return 0


if __name__ == "__main__":
    sys.exit(main())
