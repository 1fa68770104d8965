"""The syntaxes of rendered files: which path has which, and how each is parsed."""

from __future__ import annotations

from anvil_gen.values import Symbol


def syntax_of(path: str) -> Symbol:
    """Return the syntax of a rendered file, by its name; "raw" for one that is copied as it is."""
    if ".files/" in path:
        return Symbol("raw")
    _, _, suffix = path.rpartition(".")
    return Symbol(_SYNTAXES.get(suffix, "words"))


_SYNTAXES = {"yml": "yaml", "yaml": "data", "toml": "toml", "cfg": "cfg", "map": "map"}
