"""The envelope of all JSON output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from anvil_gen.values import Number

JSON_FORMAT = 1
"""Incremented when programs that read the output have to change."""


def print_schema(schema: dict[str, Any]) -> None:
    """Print a JSON Schema, which has no envelope."""
    click.echo(json.dumps(schema, indent=2))


def print_json(**content: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps({"format": JSON_FORMAT, **content}, indent=2))


def plain_toml(value: Any) -> Any:
    """Return a TOML value as JSON."""
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, Mapping):
        return {key: plain_toml(item) for key, item in value.items()}
    return [plain_toml(item) for item in value] if isinstance(value, list) else value
