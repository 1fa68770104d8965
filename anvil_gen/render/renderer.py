"""From a `Stack` to the texts of its deploy tree, by the catalog's templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog, shipped_catalog
from anvil_gen.catalog.template_tree import MONITORING
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.digests import digest
from anvil_gen.render.jinja_env import QUOTES, TEMPLATE_ERRORS, TemplateCache, TemplateEnvironment
from anvil_gen.render.overrides import overridden
from anvil_gen.render.router_digests import router_digests
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.render.template_lines import TemplateLine, lines_of
from anvil_gen.resolve.model import ENV_EXAMPLE_FILE, Mode, Stack
from anvil_gen.resolve.router_model import file_variable, path_of_mode, tier_variable

_OVERRIDDEN = ("service", "router")
_ROUTER = "router/"
_ROUTER_BUILD = "router/build/"
# Of a router's files, those that name the digests of the others.
_NAMING_DIGESTS = ("router/compose.", "router/health.")


class RenderedFile(Struct, frozen=True, kw_only=True):
    """A file of the tree that a template makes."""

    path: str
    template: str
    context: Mapping[str, Any]  # what the template is given, by name
    service_kind: str = ""
    """The name in the context of the model whose service the file holds: "service", "router" or "extra"."""


class Renderer:
    """Renders stacks: environments and compiled templates are shared between them."""

    def __init__(self, catalog: Catalog, *, cache_folder: Path | None = None) -> None:
        """Keep compiled templates in ``cache_folder``, where one is given."""
        self.catalog = catalog
        self._cache_folder = cache_folder
        self._environments: dict[str, TemplateEnvironment] = {}

    def with_catalog(self, catalog: Catalog) -> Renderer:
        """Return a renderer of the same templates by other data."""
        other = copy(self)
        other.catalog = catalog
        return other

    def template_lines(self, file: RenderedFile) -> list[TemplateLine]:
        """Return which line of which template each line of a rendered file is from, before any override."""
        return lines_of(self._environment(file.path).get_template(file.template), file.context)

    def render(self, stack: Stack) -> tuple[dict[str, str], list[RenderedFile]]:
        """Return the texts of the tree by path, and what those that are no copies were made from.

        Raises:
            DiagnosticError: a template has an error.
            InternalError: an override cannot be merged into its file.
        """
        files = {file.path: file.text for file in stack.copied_files}
        router = list(self._router_files(stack))
        mounted = [file for file in router if not file.path.startswith(_NAMING_DIGESTS)]
        mounted += self._monitoring_files(stack)
        for file in mounted:
            files[file.path] = self._text(file)
        digests = _digests(files)
        naming = [file for file in router if file.path.startswith(_NAMING_DIGESTS)]
        naming = list(_with_router_digests(naming, files))
        naming += self._compose_files(stack)
        naming = [replace(file, context=_with_digests(file.context, digests)) for file in naming]
        for file in naming:
            files[file.path] = self._text(file)
        return files, [*mounted, *naming]

    def _text(self, file: RenderedFile) -> str:
        """Return the text of a file.

        Raises:
            DiagnosticError: a template has an error.
            InternalError: the override cannot be merged into the file.
        """
        environment = self._environment(file.path)
        try:
            text = environment.get_template(file.template).render(file.context)
        except TEMPLATE_ERRORS as error:
            raise environment.diagnostic(error, file.template) from None
        if file.service_kind not in _OVERRIDDEN:
            return text
        model = file.context[file.service_kind]
        name = model.service if file.service_kind == "router" else model.name
        try:
            return overridden(text, file.path, name, model.override, model.override_declared)
        except InternalError as error:
            raise self.diagnostic(file, str(error)) from None

    def _router_files(self, stack: Stack) -> Iterator[RenderedFile]:
        """Yield every file of a router's tree.

        A mode with routes of its own has its own version of what is in ``router/``; the build context is shared.
        """
        for mode in stack.modes:
            if mode.router is None or (mode.name and mode.router_file == stack.modes[0].router_file):
                continue
            folder = f"routers/{mode.router.kind}/tree"
            names = {name.removesuffix(".j2"): name for name in self.catalog.below(folder)}
            paths = {path: self._path_in_mode(path, mode) for path in names if not path.startswith(mode.router.omitted)}
            context = {**_context(stack, mode), **_file_names(paths)}
            for path, own in paths.items():
                if mode.name and (own == path or not path.startswith(_ROUTER)):
                    continue
                kind = "router" if own == mode.router_file else ""
                yield RenderedFile(path=own, template=f"{folder}/{names[path]}", context=context, service_kind=kind)

    def _monitoring_files(self, stack: Stack) -> Iterator[RenderedFile]:
        """Yield the files that Prometheus and Grafana read; for a Prometheus that is there, without Grafana's own."""
        monitoring = stack.monitoring
        if monitoring is None:
            return
        folder = f"{MONITORING}/tree"
        context = {**_context(stack, stack.modes[0]), "monitoring": monitoring}
        for name in self.catalog.below(folder):
            if not (monitoring.existing and name.startswith(f"{MONITORING}/grafana/")):
                yield RenderedFile(path=name.removesuffix(".j2"), template=f"{folder}/{name}", context=context)

    def _path_in_mode(self, path: str, mode: Mode) -> str:
        """Return the path of a router's file in a mode: another one, unless all modes share it."""
        router = self.catalog.router(mode.router.kind) if mode.router is not None else None
        shared = (_ROUTER_BUILD, *(router.shared_files if router is not None else ()))
        own = bool(mode.name) and path.startswith(_ROUTER) and not path.startswith(shared)
        return path_of_mode(path, mode.name) if own else path

    def _compose_files(self, stack: Stack) -> Iterator[RenderedFile]:
        """Yield every other file."""
        common = _context(stack, stack.modes[0])
        for mode in stack.modes:
            yield RenderedFile(path=mode.root_file, template="compose/root.yml.j2", context={**common, "mode": mode})
        for tier in stack.tiers:
            yield RenderedFile(
                path=f"tiers/{tier.name}.yml",
                template=self._own_or(f"engines/{tier.engine}/service.yml.j2", "compose/tier.yml.j2"),
                context={**common, "tier": tier, "service": tier.service},
                service_kind="service",
            )
        for extra in stack.services:
            context = {**common, "extra": extra, "service": extra, "mounted": extra.mounted}
            path = f"services/{extra.name}.yml"
            yield RenderedFile(path=path, template="compose/extra.yml.j2", context=context, service_kind="extra")
        experiment = stack.experiment
        if experiment is not None:
            yield RenderedFile(
                path=experiment.root_file,
                template=self._own_or(f"engines/{experiment.engine}/experiment.yml.j2", "compose/experiment.yml.j2"),
                context={**common, "experiment": experiment, "service": experiment.service},
                service_kind="service",
            )
        if stack.variables:
            yield RenderedFile(path=ENV_EXAMPLE_FILE, template="compose/env.example.j2", context=common)

    def _own_or(self, own: str, common: str) -> str:
        return own if self.catalog.find(own) is not None else common

    def diagnostic(self, file: RenderedFile, what: str) -> DiagnosticError | InternalError:
        """Return the error for a rendered file that is wrong: ours, unless a user's template took part."""
        own = self._environment(file.path).own_templates
        if not own:
            return InternalError(what)
        files = [own[file.template]] if file.template in own else sorted(own.values())
        return DiagnosticError(
            [
                Diagnostic(
                    code="template-does-not-render-what-the-inventory-says",
                    detail=what if len(files) == 1 else f"{what}; templates that took part: {', '.join(files)}",
                    remedy='print every value of the service as it is: docs/templates.md, "The rules"',
                    location=Location(file=files[0]),
                )
            ]
        )

    def _environment(self, path: str) -> TemplateEnvironment:
        return self.environment(syntax_of(path))

    def environment(self, syntax: str) -> TemplateEnvironment:
        """Return the environment of the templates of a syntax."""
        if syntax not in self._environments:
            cache = TemplateCache(self._cache_folder, syntax) if self._cache_folder is not None else None
            self._environments[syntax] = TemplateEnvironment(self.catalog, QUOTES[syntax], cache, syntax=syntax)
        return self._environments[syntax]


@cache
def shipped_renderer(cache_folder: Path | None) -> Renderer:
    """Return the renderer of all fleets without templates of their own."""
    return Renderer(shipped_catalog(), cache_folder=cache_folder)


def _context(stack: Stack, mode: Mode) -> dict[str, Any]:
    suffix = f".{mode.name}" if mode.name else ""
    return {"stack": stack, "mode": mode, "router": mode.router, "suffix": suffix}


def _file_names(paths: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """Return what a router's files are called in its folder in one mode, by their usual names.

    Those that name the digests of the others are not among them, nor those of other folders.
    """
    names = {
        path.removeprefix(_ROUTER): own.removeprefix(_ROUTER)
        for path, own in paths.items()
        if path.startswith(_ROUTER) and path.count("/") == 1 and not path.startswith(_NAMING_DIGESTS)
    }
    return {"files": names}


def _with_router_digests(naming: Iterable[RenderedFile], files: Mapping[str, str]) -> Iterator[RenderedFile]:
    """Yield what names the digests of a router's files with those of its mode."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for file in naming:
        names = tuple(file.context["files"].values())
        if names not in found:
            found[names] = _router_digests(file.context, files)
        yield replace(file, context={**file.context, **found[names]})


def _router_digests(context: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the digests of the files of a router that reloads, by their variables, and by its tiers."""
    router, names = context["router"], context["files"]
    if not router.reloads:
        return {}
    found = router_digests({f"{_ROUTER}{own}": files[f"{_ROUTER}{own}"] for own in names.values()}, router)
    by_file = {file_variable(name): found.files[f"{_ROUTER}{own}"] for name, own in names.items()}
    by_tier = {tier: (tier_variable(tier), value) for tier, value in found.tiers.items()}
    return {"file_digests": by_file, "tier_digests": by_tier}


def _with_digests(context: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return a context with the digests of files; ``mounted`` is those whose paths begin as it says."""
    mounted = [path for path in digests if context.get("mounted") and path.startswith(context["mounted"])]
    return {**context, "digests": digests, "mounted": mounted}


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each file, and of the build context as a whole."""
    digests = {path: digest(text) for path, text in files.items()}
    context = [part for path in sorted(files) if path.startswith(_ROUTER_BUILD) for part in (path, files[path])]
    if context:
        digests[_ROUTER_BUILD.rstrip("/")] = digest(*context)
    return digests
