"""The syntaxes of rendered files: which path has which, and how each is parsed."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.yaml_loader import load_yaml

_BY_SUFFIX = {"yml": "yaml", "yaml": "data", "toml": "toml", "cfg": "cfg", "map": "map", "json": "json"}


def syntax_of(path: str) -> str:
    """Return the syntax of a rendered file, by its name; "raw" for one that is copied as it is."""
    if ".files/" in path:
        return "raw"
    _, _, suffix = path.rpartition(".")
    return _BY_SUFFIX.get(suffix, "words")


def parse(text: str, path: str) -> Any:
    """Return the data of a rendered file: of YAML, TOML and JSON what they hold, of any other syntax the text itself.

    Raises:
        InternalError: the text is not of its syntax.
    """
    syntax = syntax_of(path)
    if syntax in ("yaml", "data"):
        return load_yaml(text, path)
    if syntax == "json":
        return _load_json(text, path)
    return _load_toml(text, path) if syntax == "toml" else text


def _load_json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InternalError(f"{path} does not parse: {error}") from None


def _load_toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InternalError(f"{path} does not parse: {error}") from None
