"""What a router answers by itself, in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from anvil_gen.resolve.model import Route
from anvil_gen.resolve.router_model import ResponseBodies


def response_bodies(routes: Iterable[Route]) -> ResponseBodies:
    """Return what a router that has these routes answers without asking a tier."""
    models = [{"id": route.name, "object": "model", "created": 0, "owned_by": route.tier} for route in routes]
    known = ", ".join(route.name for route in routes)
    return ResponseBodies(
        models=_json({"object": "list", "data": models}),
        unknown_model=_error(f"unknown model; there are: {known}", "model_not_found"),
        no_model=_error(f"no model is named, or its name cannot be read; there are: {known}", "model_missing"),
    )


def _error(message: str, code: str) -> str:
    return _json({"error": {"message": message, "type": "invalid_request_error", "param": "model", "code": code}})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "))
