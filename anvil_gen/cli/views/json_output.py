"""The envelope of all JSON output."""

from __future__ import annotations

import json
from typing import Any

import click

JSON_FORMAT = 1
"""Incremented when programs that read the output have to change."""


def print_schema(schema: dict[str, Any]) -> None:
    """Print a JSON Schema, which has no envelope."""
    click.echo(json.dumps(schema, indent=2))


def print_json(**content: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps({"format": JSON_FORMAT, **content}, indent=2))
