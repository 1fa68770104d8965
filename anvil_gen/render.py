"""From a `Stack` to the texts of its deploy tree, by the catalog's templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anvil_gen.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.digests import digest
from anvil_gen.model import Mode, Router, Service, Stack, Symbol
from anvil_gen.overrides import overridden
from anvil_gen.templating import QUOTES, TEMPLATE_FAULTS, TemplateCache, TemplateEnvironment, syntax_of

EXPERIMENT_FILE = "docker-compose.experiment.yml"
ENV_EXAMPLE_FILE = ".env.example"
_ROUTER = "router/"
_ROUTER_COMPOSE = "router/compose."
_ROUTER_BUILD = "router/build/"


class Renderer:
    """Renders stacks; environments and compiled templates are shared between them."""

    def __init__(self, catalog: Catalog, *, cache_folder: Path | None = None) -> None:
        """Keep compiled templates in ``cache_folder``, where one is given."""
        self.catalog = catalog
        self._cache = TemplateCache(cache_folder) if cache_folder is not None else None
        self._environments: dict[str, TemplateEnvironment] = {}

    def render(
        self, stack: Stack, *, digests: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the texts of the tree by path, and the digests that services name.

        Args:
            stack: what to render.
            digests: names to use for the digests, instead of those of the rendered files.
        """
        router = list(self._router_files(stack))
        files = {file.path: file.text for tier in stack.tiers for file in tier.files}
        for mode, path, template in router:
            if not path.startswith(_ROUTER_COMPOSE):
                files[path] = self._text(template, path, _context(stack, mode))
        named = _digests(files) if digests is None else dict(digests)
        for mode, path, template in router:
            if path.startswith(_ROUTER_COMPOSE) and mode.router is not None:
                text = self._text(template, path, {**_context(stack, mode), "digests": named})
                files[path] = self._overridden(stack, path, text, mode.router)
        for path, template, more in self._compose_files(stack):
            files[path] = self._text(template, path, {**_context(stack, stack.modes[0]), "digests": named, **more})
        for tier in stack.tiers:
            path = f"tiers/{tier.name}.yml"
            files[path] = self._overridden(stack, path, files[path], tier.service)
        return files, named

    def _router_files(self, stack: Stack) -> Iterator[tuple[Mode, str, str]]:
        """Yield mode, path and template of every file of a router's tree.

        A mode with routes of its own has its own version of what stands in ``router/``; the build context is shared.
        """
        for mode in stack.modes:
            if mode.router is None or (mode.name and mode.router_file == stack.modes[0].router_file):
                continue
            folder = f"routers/{mode.router.engine}/tree"
            for name in self.catalog.below(folder):
                path = name.removesuffix(".j2")
                if path.startswith(mode.router.omitted):
                    continue
                if not mode.name:
                    yield mode, path, f"{folder}/{name}"
                elif path.startswith(_ROUTER) and not path.startswith(_ROUTER_BUILD):
                    yield mode, _path_of_mode(path, mode), f"{folder}/{name}"

    def _compose_files(self, stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield path, template and what the template is given beside the common context."""
        for mode in stack.modes:
            yield mode.root_file, "compose/root.yml.j2", {"mode": mode}
        for tier in stack.tiers:
            template = self._own_or(f"engines/{tier.engine}/service.yml.j2", "compose/tier.yml.j2")
            yield f"tiers/{tier.name}.yml", template, {"tier": tier, "service": tier.service}
        for extra in stack.services:
            yield f"services/{extra.name}.yml", "compose/extra.yml.j2", {"extra": extra, "service": extra}
        if stack.experiment is not None:
            template = self._own_or(f"engines/{stack.experiment.engine}/experiment.yml.j2", "compose/experiment.yml.j2")
            yield EXPERIMENT_FILE, template, {"experiment": stack.experiment, "service": stack.experiment.service}
        if stack.variables:
            yield ENV_EXAMPLE_FILE, "compose/env.example.j2", {}

    def _own_or(self, own: str, common: str) -> str:
        return own if self.catalog.find(own) is not None else common

    def _text(self, template: str, path: str, context: Mapping[str, Any]) -> str:
        environment = self._environment(path)
        try:
            return environment.get_template(template).render(context)
        except TEMPLATE_FAULTS as error:
            raise environment.fault(error, template) from None

    def _overridden(self, stack: Stack, path: str, text: str, service: Service | Router) -> str:
        name = service.name if isinstance(service, Service) else service.service
        try:
            return overridden(text, path, name, service.override, service.override_volumes)
        except InternalError as error:
            raise self.fault(stack, path, str(error)) from None

    def fault(self, stack: Stack, path: str, what: str) -> DiagnosticError | InternalError:
        """Return the error for a rendered file that is wrong: ours, unless a user's template took part."""
        own = self._environment(path).own_templates
        if not own:
            return InternalError(what)
        templates = {at: template for _, at, template in self._router_files(stack)}
        templates.update((at, template) for at, template, _ in self._compose_files(stack))
        main = templates.get(path, "")
        files = [own[main]] if main in own else sorted(own.values())
        return DiagnosticError(
            [
                Diagnostic(
                    summary="template does not say what the inventory says",
                    detail=what if len(files) == 1 else f"{what}; what took part: {', '.join(files)}",
                    remedy='print every value of the service as it is: docs/templates.md, "The rules"',
                    location=Location(file=files[0]),
                )
            ]
        )

    def _environment(self, path: str) -> TemplateEnvironment:
        syntax = syntax_of(path)
        if syntax not in self._environments:
            self._environments[syntax] = TemplateEnvironment(self.catalog, QUOTES[syntax], self._cache)
        return self._environments[syntax]


def _context(stack: Stack, mode: Mode) -> dict[str, Any]:
    suffix = Symbol(f".{mode.name}" if mode.name else "")
    return {"stack": stack, "mode": mode, "router": mode.router, "suffix": suffix}


def _path_of_mode(path: str, mode: Mode) -> str:
    """Return the path of a mode's own version of a file: ``router/router.night.toml``."""
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.{mode.name}{dot}{suffix}"


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each file, and of the build context as a whole."""
    digests = {path: digest(text) for path, text in files.items()}
    context = [part for path in sorted(files) if path.startswith(_ROUTER_BUILD) for part in (path, files[path])]
    if context:
        digests[_ROUTER_BUILD.rstrip("/")] = digest(*context)
    return digests
