"""Writes the images of a new host's tiers into its inventory, where a bot like Renovate finds them and bumps them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.resolve.model import Tier


def name_images(inventory: Path, tiers: Iterable[Tier]) -> None:
    """Write into an inventory of the template the image that each tier resolves to, below its engine."""
    before = inventory.read_bytes()
    text = before.decode()
    for tier in tiers:
        line = f"image = {json.dumps(str(tier.service.image), ensure_ascii=False)}\n"
        head = re.compile(rf'^(\[tiers\.{re.escape(tier.name)}\]\nengine = "[^"\n]*"\n)(?!image)', re.MULTILINE)
        found = head.search(text)
        text = text if found is None else f"{text[: found.end()]}{line}{text[found.end() :]}"
    replace_file(inventory, before, text.encode())
