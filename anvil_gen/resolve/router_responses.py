"""What a router answers by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence

from anvil_gen.resolve.router_model import Route, RouterMessages

_AROUND = 80
"""Bytes that a name and its tier have around them in a list of models."""


def router_messages(routes: Sequence[Route]) -> RouterMessages:
    """Return what a router that has these routes says to who asks for another model."""
    known = ", ".join(route.name for route in routes)
    return RouterMessages(
        unknown_model=f"unknown model; there are: {known}",
        no_model=f"no model is named, or its name cannot be read (put it first, and unescaped); there are: {known}",
    )


def model_list_size(routes: Sequence[Route]) -> int:
    """Return the bytes of the list of models, at most."""
    return sum(len(json.dumps(route.name)) + len(json.dumps(route.tier)) + _AROUND for route in routes)
