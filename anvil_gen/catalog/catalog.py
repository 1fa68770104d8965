"""What anvil-gen knows as data: engines, routers, GPU vendors and defaults, found by listing folders.

A user's ``templates/`` next to ``hosts/`` adds to the shipped folders or overrides them, file by file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.defaults import DEFAULTS, by_section, shipped_defaults, shipped_templates
from anvil_gen.catalog.engine import DERIVED_OPTIONS, Engine
from anvil_gen.catalog.flag_timeline import FlagTimeline, read_timeline
from anvil_gen.catalog.gpu_vendor import Vendor, semantic_errors
from anvil_gen.catalog.health import health_errors, with_probe
from anvil_gen.catalog.metrics import CommonMetric
from anvil_gen.catalog.router import RouterKind
from anvil_gen.catalog.router_features import FEATURES
from anvil_gen.catalog.target import Target
from anvil_gen.catalog.template_tree import FLAGS_FILE, KINDS, MONITORING, texts, unreadable_files, unused_files
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, display_path, join_words
from anvil_gen.inventory.schema_router import RouterTable
from anvil_gen.inventory.schema_tier import TierTable
from anvil_gen.inventory.struct_errors import decode_valid, struct_errors, unknown_names
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath, address

_Data = TypeVar("_Data", Engine, Vendor, RouterKind, Target)
_DataFile = TypeVar("_DataFile", bound=Struct)


class Catalog:
    """All data of one set of template roots, read when first asked for."""

    def __init__(self, user_templates: Path | None = None) -> None:
        """Take the shipped templates, with ``user_templates`` before them where that folder exists."""
        shipped = shipped_templates()
        self.roots: tuple[Path, ...] = (shipped,)
        if user_templates is not None and user_templates.is_dir() and not user_templates.samefile(shipped):
            diagnostics = [*unreadable_files(user_templates)] or [*unused_files(user_templates, shipped)]
            if diagnostics:
                raise DiagnosticError(diagnostics)
            self.roots = (user_templates, shipped)
        self._texts: dict[str, str] = {}
        self._data: dict[str, Any] = {}
        self._names: dict[str, list[str]] = {}

    def replacing(self, path: str, text: str) -> "Catalog":
        """Return a catalog in which one data file has another content, as `explain` tries it."""
        other = copy(self)
        other._texts = {path: text}
        other._data = {} if path == DEFAULTS else {name: data for name, data in self._data.items() if name != path}
        other.__dict__.pop("defaults", None)
        return other

    def document(self, path: str) -> Document | None:
        """Return a data file as it is read, None where there is none of that path."""
        if path == DEFAULTS and path not in self._texts:
            return shipped_defaults()
        found = self.roots[-1] / DEFAULTS if path == DEFAULTS else self.find(path)
        if found is None:
            return None
        display = f"templates/{path}" if found.is_relative_to(self.roots[-1]) else display_path(found)
        return Document(found, display=display, text=self._texts.get(path))

    @cached_property
    def defaults(self) -> Mapping[str, Mapping[str, Any]]:
        """Section -> option -> default; None for an option that has none."""
        found = self.document(DEFAULTS)
        return by_section(found.data if found is not None else {})

    @cached_property
    def common_metrics(self) -> Mapping[str, CommonMetric]:
        """The metrics that engines, routers and GPUs have in common."""
        document = Document(
            self.roots[-1] / MONITORING / "metrics.toml", display=f"templates/{MONITORING}/metrics.toml"
        )
        return msgspec.convert(document.data, dict[str, CommonMetric])

    def names(self, kind: str) -> list[str]:
        """Return the entries of a folder of templates (``engines``, ``gpus``, ``routers``, ``targets``), sorted."""
        if kind not in self._names:
            found = {file.parent.name for root in self.roots for file in (root / kind).glob(f"*/{KINDS[kind]}")}
            self._names[kind] = sorted(found)
        return self._names[kind]

    def engine(self, name: str) -> Engine | None:
        """Return an engine's data, None where no folder has that name."""
        return self._load("engines", name, Engine)

    def flag_timeline(self, name: str) -> FlagTimeline | None:
        """Return the flags of an engine through its versions, None where no file lists them."""
        path = f"engines/{name}/{FLAGS_FILE}"
        if path not in self._data:
            found = self.find(path)
            self._data[path] = None if found is None else read_timeline(found)
        timeline: FlagTimeline | None = self._data[path]
        return timeline

    def vendor(self, name: str) -> Vendor | None:
        """Return a GPU vendor's data, None where no folder has that name."""
        return self._load("gpus", name, Vendor)

    def router(self, name: str) -> RouterKind | None:
        """Return a router's data, None where no folder has that name."""
        return self._load("routers", name, RouterKind)

    def target(self, name: str) -> Target | None:
        """Return a target's data, None where no folder has that name."""
        return self._load("targets", name, Target)

    def find(self, path: str) -> Path | None:
        """Return the file of that path below the templates, a user's before the shipped one."""
        return next((root / path for root in self.roots if (root / path).is_file()), None)

    def below(self, folder: str) -> list[str]:
        """Return every template below a folder, as paths relative to it, sorted; nothing hidden."""
        found = {
            path.relative_to(root / folder).as_posix()
            for root in self.roots
            for path in (root / folder).rglob("*.j2")
            if path.is_file()
        }
        return sorted(path for path in found if "/." not in f"/{path}")

    @cached_property
    def own_text(self) -> str:
        """The user's templates, each with its path, as one text."""
        return "\0".join(text for root in self.roots[:-1] for text in texts(root))

    @cached_property
    def shipped_text(self) -> str:
        """The shipped templates, each with its path, as one text."""
        return "\0".join(texts(self.roots[-1]))

    def unknown(self, kind: str, name: str) -> tuple[str, str]:
        """Return detail and remedy for a name that no folder has."""
        names = self.names(kind)
        remedy = did_you_mean(name, names) or f'write one of them, or add a folder "templates/{kind}/{name}/"'
        return f'"{name}" is none of: {join_words(names)}', remedy

    def _load(self, folder: str, name: str, kind: type[_Data]) -> _Data | None:
        path = f"{folder}/{name}/{KINDS[folder]}"
        if path not in self._data:
            # By the listing, and not by the disk: some disks take VLLM for vllm.
            found = self.document(path) if name in self.names(folder) else None
            self._data[path] = None if found is None else self._read(found, kind)
        data: _Data | None = self._data[path]
        return data

    def _read(self, document: Document, kind: type[_Data]) -> _Data:
        data = decoded(document, kind, self._check)
        if isinstance(data, Vendor | Target) or data.health is None:
            return data
        return replace(data, health=with_probe(data.health, self.defaults["probes"]))

    def _check(self, data: Engine | Vendor | RouterKind | Target) -> Iterator[tuple[KeyPath, str]]:
        """Yield what is of the right form in a data file, and names what there is not."""
        if isinstance(data, Target):
            return
        yield from unknown_names(_metric_names(data), self.common_metrics)
        if isinstance(data, Vendor):
            yield from semantic_errors(data)
            return
        section = self.defaults["tier" if isinstance(data, Engine) else "router"]
        struct: type[Struct] = TierTable if isinstance(data, Engine) else RouterTable
        yield from unknown_names([(("defaults", name), name) for name in data.defaults], section)
        for name, value in data.defaults.items():
            if name in section:
                yield from struct_errors({name: value}, struct, ("defaults",))
        if data.health is not None:
            yield from health_errors(data.health, self.defaults["probes"])
        if isinstance(data, RouterKind):
            features = [(("supports", at), name) for at, name in enumerate(data.supports)]
            yield from unknown_names(
                [*features, *((("unsupported", name), name) for name in data.unsupported)], FEATURES
            )
        else:
            yield from unknown_names(data.named_fields(), {*section, *DERIVED_OPTIONS})
            yield from unknown_names([(("reasons", name), name) for name in data.reasons], self.defaults["reasons"])
            refusals = [(("quirks", at, "refuse", "option"), quirk.refuse) for at, quirk in enumerate(data.quirks)]
            yield from unknown_names([(path, refusal.option) for path, refusal in refusals if refusal], section)


@cache
def shipped_catalog() -> Catalog:
    """Return the data of this installation, which a process reads once."""
    return Catalog()


def catalog_of(fleet: Path) -> Catalog:
    """Return the data for a fleet: the shipped, unless it has templates of its own."""
    catalog = Catalog(fleet / "templates")
    return catalog if len(catalog.roots) > 1 else shipped_catalog()


def _metric_names(data: Engine | Vendor | RouterKind) -> list[tuple[KeyPath, str]]:
    """Return the metrics that a data file names, each with its place."""
    key, metrics = ("exporter", data.exporter) if isinstance(data, Vendor) else ("metrics", data.metrics)
    return [((key, "names", name), name) for name in (metrics.names if metrics is not None else ())]


def decoded(
    document: Document, kind: type[_DataFile], check: Callable[[_DataFile], Iterable[tuple[KeyPath, str]]]
) -> _DataFile:
    """Return a data file as a struct; ``check`` yields the places of what is of the right form and still wrong.

    Raises:
        DiagnosticError: with every place that is not as it should be.
    """
    try:
        data = msgspec.convert(document.data, kind)
    except msgspec.ValidationError:
        data, errors = decode_valid(document.data, kind)  # also reads a fraction, which to msgspec is no float
        if errors:
            raise DiagnosticError(_diagnostic(document, error.path, error.text) for error in errors) from None
    diagnostics = list(check(data))
    if diagnostics:
        raise DiagnosticError(_diagnostic(document, *diagnostic) for diagnostic in diagnostics)
    return data


def _diagnostic(document: Document, path: KeyPath, detail: str) -> Diagnostic:
    return Diagnostic(
        code="invalid-template-data",
        detail=detail,
        remedy="docs/template-data.md lists every key",
        address=address(path),
        location=document.location(path, key=True),
    )
