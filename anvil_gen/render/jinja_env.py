"""Jinja environments, one for each output syntax: whatever a template prints is quoted for that syntax."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import BlockReference, Context, Macro
from markupsafe import Markup

from anvil_gen import __version__
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location, display_path
from anvil_gen.render import template_lint
from anvil_gen.render.quoting import (
    cfg_variable,
    comment,
    compose_string,
    systemd_line,
    systemd_word,
    to_cfg,
    to_data,
    to_json,
    to_map,
    to_pod,
    to_toml,
    to_unit,
    to_word,
    to_yaml,
    yaml_block,
    yaml_folded,
    yaml_literal,
    yaml_string,
)
from anvil_gen.render.template_lint import broken_rules, hidden
from anvil_gen.text.units import quantity

TEMPLATE_ERRORS = (
    *(jinja2.TemplateError, InternalError),
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
)
"""What compiling and running a template may raise, besides a `DiagnosticError`."""


class _Quoted(str):
    """Text that is quoted already. Whatever is made of it is common text again, and quoted once more."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


class _Context(Context):
    """Marks what macros and blocks return as quoted; their pieces have been."""

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        result = super().call(function, *args, **kwargs)
        return _Quoted(result) if isinstance(function, Macro | BlockReference) else result


class _Template(jinja2.Template):
    """A template whose set blocks are quoted text too, and which escapes nothing that `finalize` has quoted."""

    @classmethod
    def _from_namespace(
        cls,
        environment: jinja2.Environment,
        namespace: MutableMapping[str, Any],
        globals: MutableMapping[str, Any],  # noqa: A002
    ) -> jinja2.Template:
        namespace["Markup"] = _Quoted
        namespace["escape"] = str  # which raises for what is not defined
        return super()._from_namespace(environment, namespace, globals)


class _Loader(jinja2.FileSystemLoader):
    """Loads templates from the catalog's folders, and knows which of a user's own it has loaded."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__([str(root) for root in catalog.roots])
        self._roots = catalog.roots
        self.own: dict[str, str] = {}
        """The user's templates that were loaded: name -> file, as a person would write it."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if any(
            part.startswith(".") for part in template.split("/")
        ):  # which are no templates, and not looked at before
            raise jinja2.TemplateNotFound(template)
        try:
            text, file, uptodate = super().get_source(environment, template)
        except UnicodeDecodeError as error:
            found = next(root / template for root in self._roots if (root / template).is_file())
            line = error.object[: error.start].count(b"\n") + 1
            raise DiagnosticError([_uncompiled("it is not UTF-8", self.shown(str(found)), line)]) from None
        if len(self._roots) > 1 and Path(file).is_relative_to(self._roots[0]):
            self.own[template] = self.shown(file)
        return text, file, uptodate

    def shown(self, file: str) -> str:
        """Return a template's file as a person would write it; a shipped one by its name."""
        path = Path(file)
        if path.is_relative_to(self._roots[-1]):
            return f"templates/{path.relative_to(self._roots[-1]).as_posix()}"
        return display_path(path)


class TemplateEnvironment(jinja2.Environment):
    """A Jinja environment for one output syntax: whatever a template prints is quoted for that syntax."""

    context_class = _Context
    template_class = _Template

    def __init__(
        self, catalog: Catalog, quote: Callable[[object], str], cache: jinja2.BytecodeCache | None, *, syntax: str = ""
    ) -> None:
        """Take templates from the catalog's folders, and quote by ``quote``; ``syntax`` has filters and rules."""

        def finalize(value: object) -> object:
            if type(value) is str:
                return quote(value)
            if type(value) is _Quoted or isinstance(value, jinja2.Undefined):
                return value
            if value is None:
                raise jinja2.UndefinedError("the value that is printed here is not set")
            if isinstance(value, Markup):
                raise jinja2.TemplateRuntimeError("the result of a macro, a filter or a set block is joined to text")
            return quote(value)

        self._files = _Loader(catalog)
        super().__init__(
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=finalize,
            loader=self._files,
            bytecode_cache=cache,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._is_yaml = syntax in ("yaml", "data", "manifest")
        # Nothing that could pass a value by the quoting, nor quote it for another syntax.
        self.filters = {name: _FILTERS[name] for name in ("comment", *_FILTERS_OF.get(syntax, ()))}
        self.globals = {}

    @property
    def own_templates(self) -> dict[str, str]:
        """The user's templates that were loaded: name -> file."""
        return self._files.own

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; an attribute only where no template is kept from it."""
        if isinstance(argument, str) and hidden(argument):
            raise jinja2.TemplateRuntimeError(template_lint.HIDDEN.what)
        return super().getitem(obj, argument)

    def diagnostic(self, error: BaseException, template: str) -> DiagnosticError:
        """Return the diagnostic of an error that a template raised, with the place in it."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            file = self._files.shown(error.filename) if error.filename else f"templates/{error.name or template}"
            return DiagnosticError([_uncompiled(error.message or "", file, error.lineno)])
        missing = isinstance(error, jinja2.UndefinedError | jinja2.TemplateNotFound)
        known = isinstance(error, jinja2.TemplateError | InternalError)
        frames = [frame for frame in _frames(error.__traceback__) if frame[0].endswith(".j2")]
        file, line = (self._files.shown(frames[-1][0]), frames[-1][1]) if frames else (f"templates/{template}", None)
        return DiagnosticError(
            [
                Diagnostic(
                    code="template-asks-for-what-is-not-there" if missing else "template-fails",
                    detail=str(error) if known else f"{type(error).__name__}: {error}",
                    remedy="docs/templates.md lists what a template is given, and the rules for it",
                    location=Location(file=file, line=line),
                )
            ]
        )

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        broken = broken_rules(tree, yaml=self._is_yaml)
        if broken:
            file = self._files.shown(filename) if filename else f"templates/{name}"
            raise DiagnosticError(
                Diagnostic(
                    code="template-rule-broken",
                    detail=rule.what,
                    remedy=rule.instead,
                    location=Location(file=file, line=line),
                )
                for line, rule in broken
            )
        return tree


_FILTERS: dict[str, Callable[..., _Quoted]] = {
    "comment": lambda value: _Quoted(comment(value)),
    "key": lambda value: _Quoted(yaml_string(value)),  # keys are not interpolated: `$` stays single
    "folded": lambda texts, indent: _Quoted(yaml_folded(map(compose_string, texts), indent)),
    "block": lambda value, indent: _Quoted(yaml_block(value, indent)),
    "variable": lambda value: _Quoted(cfg_variable(value)),
    "literal": lambda text, indent: _Quoted(yaml_literal(text, indent)),
    "expanded": lambda value: _Quoted(to_pod(value)),
    "quantity": lambda size: _Quoted(quantity(size)),
    "word": lambda value: _Quoted(systemd_word(value)),
    "line": lambda value: _Quoted(systemd_line(value)),
}
_FILTERS_OF = {
    "yaml": ("key", "folded", "block"),
    "data": ("key",),
    "manifest": ("key", "literal", "expanded", "quantity"),
    "cfg": ("variable",),
    "unit": ("word", "line"),
}


def _uncompiled(what: str, file: str, line: int) -> Diagnostic:
    return Diagnostic(code="template-does-not-compile", detail=what, location=Location(file=file, line=line))


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Yield file and line of each frame; Jinja has put those of the templates in place of its own."""
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


QUOTES: dict[str, Callable[[object], str]] = {
    "yaml": to_yaml,
    "data": to_data,
    "toml": to_toml,
    "cfg": to_cfg,
    "map": to_map,
    "json": to_json,
    "words": to_word,
    "manifest": to_data,
    "unit": to_unit,
}
"""Syntax -> what turns a printed value into text of it."""


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """Compiled templates of one syntax on disk; a folder that cannot be written costs time, never a failure.

    Other rules, another syntax or another Jinja compile again: their templates are in another folder.
    """

    def __init__(self, folder: Path, syntax: str) -> None:
        rules = hashlib.sha256()
        with suppress(OSError):
            for module in (template_lint.__file__, __file__):
                rules.update(Path(module).read_bytes())
        super().__init__(str(folder / f"jinja-{jinja2.__version__}-{rules.hexdigest()[:12]}-{syntax}"))

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        with suppress(OSError):
            Path(self.directory).mkdir(parents=True, exist_ok=True)
            super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except (OSError, pickle.PickleError, EOFError, ValueError, TypeError, LookupError, AttributeError, ImportError):
            bucket.reset()


def cache_folder() -> Path | None:
    """Return where compiled templates may be kept; None where the system has no such folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")  # noqa: PTH111  stays as it is without a home
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if not base or not Path(base).is_absolute():
        return None
    return Path(base) / "anvil-gen" / f"templates-{__version__}"
