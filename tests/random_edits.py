"""Random edits of lab-quad's inventory, as somebody may make them, for tests of what a plan says of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import DiagnosticError

# What somebody may write instead of, or below, a line: pattern -> texts.
CHANGES = {
    r"port = 300\d\d": ["port = 31007", "port = 31008"],
    r"context_length = \d+": ["context_length = 4096", ""],
    r"max_sequences = \d+": ["max_sequences = 7", 'image = "example.org/own:1"'],
    r"gpu_memory = \"\d+GiB\"": ['gpu_memory = "3GiB"'],
    r'served_name = "[\w.-]+"': ['served_name = "other-name"'],
    r'(repo|file) = "[^"]+"': ['repo = "org/other"'],
    r'aliases\.default = "\w+"': ['aliases.default = "writer"', 'aliases.more = "writer"', ""],
    r'bind = "0\.0\.0\.0"': ['bind = "127.0.0.1"', "", 'timeout = "7m"', "override.scale = 1"],
    r'gpus = \["\w"\]': ['gpus = ["c"]', 'gpus = ["d"]'],
    r'task = "(embedding|rerank)"': ['task = "embedding"\nstandby = true', 'task = "rerank"\nshm_size = "2g"'],
    r'restart = "unless-stopped"': [
        'restart = "no"',
        'pull_policy = "always"',
        'build = "../ui"',
        "depends_on = ['chat']",
    ],
    r'TZ = "[\w/]+"': ['TZ = "Europe/Berlin"', 'TZ = "Etc/UTC"\nlog_max_files = 5'],
    r"standby = true": ["", "standby = true\noverride.pull_policy = 'always'"],
    r'tiers = \["chat", ': ["tiers = ["],
    r"\[tiers\.(\w+)\]": ["[tiers.renamed]"],
    r"flags\.[\w-]+ = true": ["flags.seed = 3", "flags.enable-prefix-caching = false"],
}


def edited(text: str, dice: random.Random) -> str:
    """Return an inventory with one to three random edits."""
    for _ in range(dice.randint(1, 3)):
        pattern = dice.choice(list(CHANGES))
        places = list(re.finditer(pattern, text))
        if places:
            place = dice.choice(places)
            text = text[: place.start()] + dice.choice(CHANGES[pattern]) + text[place.end() :]
    return text


def inventories(text: str, path: Path, dice: random.Random) -> Iterator[str]:
    """Yield edited inventories that are valid."""
    while True:
        found = edited(text, dice)
        try:
            generator().render(path, text=found)
        except DiagnosticError:
            continue
        yield found
