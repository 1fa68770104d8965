"""The form of every JSON answer."""

from __future__ import annotations

import json
from typing import Any

import click

JSON_FORMAT = 1
"""Changes when a reader of the answers would have to."""


def print_json(**answer: Any) -> None:
    """Print one answer as a JSON document."""
    click.echo(json.dumps({"format": JSON_FORMAT, **answer}, indent=2))
