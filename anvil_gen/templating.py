"""Jinja environments, one for each output syntax: whatever a template prints is quoted for that syntax."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import jinja2
from jinja2 import nodes
from markupsafe import Markup

from anvil_gen.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.model import Symbol
from anvil_gen.quoting import comment, to_toml, to_word, to_yaml, yaml_block, yaml_folded, yaml_string
from anvil_gen.template_rules import broken_rules


class _Undefined(jinja2.StrictUndefined):
    """An undefined name is an error also where it is only printed."""


class TemplateEnvironment(jinja2.Environment):
    """A Jinja environment for one output syntax: whatever a template prints is quoted for that syntax."""

    def __init__(self, catalog: Catalog, quote: Callable[[object], str], cache: jinja2.BytecodeCache | None) -> None:
        """Take templates from the catalog's folders, and quote by ``quote``."""

        def finalize(value: object) -> Markup:
            if isinstance(value, Markup):
                return value
            if value is None or isinstance(value, jinja2.Undefined):
                raise InternalError("a template prints a value that is not there")
            return Markup(quote(value))  # noqa: S704  this is the one place where text becomes markup

        super().__init__(
            autoescape=True,
            undefined=_Undefined,
            finalize=finalize,
            loader=jinja2.FileSystemLoader([str(root) for root in catalog.roots]),
            bytecode_cache=cache,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # Nothing that could pass a value by the quoting.
        self.filters = {
            "comment": lambda value: Markup(comment(value)),  # noqa: S704
            "key": lambda value: Markup(yaml_string(value)),  # noqa: S704  keys are not interpolated: `$` stays single
            "folded": lambda texts, indent: Markup(yaml_folded(texts, indent)),  # noqa: S704
            "block": lambda value, indent: Markup(yaml_block(value, indent)),  # noqa: S704
        }
        self.globals = {}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        broken = list(broken_rules(tree))
        if broken:
            raise DiagnosticError(
                Diagnostic(
                    summary="template rule broken",
                    detail=rule.what,
                    remedy=rule.instead,
                    location=Location(file=f"templates/{name}", line=line),
                )
                for line, rule in broken
            )
        return tree


QUOTES: dict[str, Callable[[object], str]] = {"yaml": to_yaml, "toml": to_toml, "words": to_word}
"""Syntax -> what turns a printed value into text of it."""


def syntax_of(path: str) -> Symbol:
    """Return the syntax of a rendered file, by its name; "raw" for one that is copied as it is."""
    if ".files/" in path:
        return Symbol("raw")
    if path.endswith((".yml", ".yaml")):
        return Symbol("yaml")
    return Symbol("toml") if path.endswith(".toml") else Symbol("words")


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """Compiled templates on disk; a folder that cannot be written to costs time, never a failure."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        with suppress(OSError):
            Path(self.directory).mkdir(parents=True, exist_ok=True)
            super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        with suppress(OSError):
            super().load_bytecode(bucket)
