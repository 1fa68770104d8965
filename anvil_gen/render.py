"""From a `Stack` to the texts of its deploy tree, by the catalog's templates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from markupsafe import Markup

from anvil_gen.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.model import Stack, Symbol
from anvil_gen.quoting import comment, to_toml, to_word, to_yaml, yaml_folded, yaml_string
from anvil_gen.template_rules import broken_rules

ROOT_FILE = "docker-compose.yml"
EXPERIMENT_FILE = "docker-compose.experiment.yml"
ENV_EXAMPLE_FILE = ".env.example"
_ROUTER_COMPOSE = "router/compose.yml"
_ROUTER_BUILD = "router/build/"
_DIGEST_CHARACTERS = 12

Mark = Callable[[str], str]
"""Puts a value in its place in the context of a render: itself, or a token for the proof (`anvil_gen.proof`)."""


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


class Renderer:
    """Renders stacks; environments and compiled templates are shared between them."""

    def __init__(self, catalog: Catalog, *, cache_folder: Path | None = None) -> None:
        """Keep compiled templates in ``cache_folder``, where one is given."""
        self.catalog = catalog
        self._cache = _TemplateCache(cache_folder) if cache_folder is not None else None
        self._environments: dict[str, TemplateEnvironment] = {}

    def render(
        self, stack: Stack, *, digests: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the texts of the tree by path, and the digests that its router's service names.

        Args:
            stack: what to render.
            digests: names to use for the digests, instead of those of the rendered files.
        """
        context: dict[str, Any] = {"stack": stack, "router": stack.router}
        router = dict(self._router_files(stack))
        service = router.pop(_ROUTER_COMPOSE, None)
        files = {path: self._text(template, path, context) for path, template in router.items()}
        context["digests"] = _digests(files) if digests is None else digests
        if service is not None:
            files[_ROUTER_COMPOSE] = self._text(service, _ROUTER_COMPOSE, context)
        for path, template, extra in self._compose_files(stack):
            files[path] = self._text(template, path, {**context, **extra})
        return files, context["digests"]

    def _router_files(self, stack: Stack) -> Iterator[tuple[str, str]]:
        if stack.router is None:
            return
        folder = f"routers/{stack.router.engine}/tree"
        for name in self.catalog.below(folder):
            path = name.removesuffix(".j2")
            if not path.startswith(stack.router.omitted):
                yield path, f"{folder}/{name}"

    def _compose_files(self, stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield ROOT_FILE, "compose/root.yml.j2", {}
        for tier in stack.tiers:
            template = self._own_or(f"engines/{tier.engine}/service.yml.j2", "compose/tier.yml.j2")
            yield f"tiers/{tier.name}.yml", template, {"tier": tier, "service": tier.service}
        if stack.experiment is not None:
            template = self._own_or(f"engines/{stack.experiment.engine}/experiment.yml.j2", "compose/experiment.yml.j2")
            extra = {"experiment": stack.experiment, "service": stack.experiment.service}
            yield EXPERIMENT_FILE, template, extra
        if stack.variables:
            yield ENV_EXAMPLE_FILE, "compose/env.example.j2", {}

    def _own_or(self, own: str, common: str) -> str:
        return own if self.catalog.find(own) is not None else common

    def _text(self, template: str, path: str, context: Mapping[str, Any]) -> str:
        try:
            return self._environment(path).get_template(template).render(context)
        except jinja2.TemplateSyntaxError as error:
            location = Location(file=f"templates/{error.name or template}", line=error.lineno)
            raise DiagnosticError(
                [Diagnostic(summary="template does not compile", detail=error.message or "", location=location)]
            ) from None
        except (jinja2.UndefinedError, jinja2.TemplateNotFound) as error:
            raise DiagnosticError(
                [
                    Diagnostic(
                        summary="template asks for what is not there",
                        detail=error.message or str(error),
                        remedy=f"docs/templates.md lists what a template is given (for {path})",
                        location=Location(file=f"templates/{template}"),
                    )
                ]
            ) from None

    def _environment(self, path: str) -> TemplateEnvironment:
        syntax = syntax_of(path)
        if syntax not in self._environments:
            self._environments[syntax] = TemplateEnvironment(self.catalog, _QUOTES[syntax], self._cache)
        return self._environments[syntax]


_QUOTES: dict[str, Callable[[object], str]] = {"yaml": to_yaml, "toml": to_toml, "words": to_word}


def syntax_of(path: str) -> Symbol:
    """Return the syntax of a rendered file, by its name."""
    if path.endswith((".yml", ".yaml")):
        return Symbol("yaml")
    return Symbol("toml") if path.endswith(".toml") else Symbol("words")


def digest(*texts: str) -> str:
    """Return a short SHA-256 of texts, in their order."""
    total = hashlib.sha256()
    for text in texts:
        # Length first, so that no two lists of texts read the same.
        encoded = text.encode()
        total.update(f"{len(encoded)}:".encode() + encoded)
    return total.hexdigest()[:_DIGEST_CHARACTERS]


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each file, and of the build context as a whole."""
    digests = {path: digest(text) for path, text in files.items()}
    context = [part for path in sorted(files) if path.startswith(_ROUTER_BUILD) for part in (path, files[path])]
    if context:
        digests[_ROUTER_BUILD.rstrip("/")] = digest(*context)
    return digests


class _TemplateCache(jinja2.FileSystemBytecodeCache):
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
