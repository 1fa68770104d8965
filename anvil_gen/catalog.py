"""What anvil-gen knows as data: engines, routers, card vendors and defaults, found by listing folders.

A user's ``templates/`` beside ``hosts/`` adds to the shipped folders or overrides them, file by file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, did_you_mean, listing
from anvil_gen.document import Document
from anvil_gen.model import KeyPath, address

ModelKind = Literal["path", "repo", "file"]


class Health(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a container is asked whether it serves. ``{port}`` and ``{path}`` are filled into ``test``."""

    path: str
    test: tuple[str, ...]
    interval: str = "10s"
    timeout: str = "5s"
    retries: int = 3
    start_period: str = "30s"  # of a router; an engine's is an option of its tier


class Cache(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A named volume of the project for what an engine can make again, so that a recreate does not cost minutes."""

    volume: str
    target: str
    reason: str


class Refusal(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A value of an option that does not work where its quirk applies."""

    option: str
    values: tuple[str, ...]
    remedy: str


class ImageChoice(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An image for the cards of one vendor, or of one compute capability."""

    image: str
    vendor: str
    compute_capability: str | None = None


class Quirk(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A peculiarity on one platform, some cards or several of them; ``reason`` says why it is there."""

    reason: str
    platform: str | None = None
    cards_from: int = 0
    compute_capability_below: str | None = None
    compute_capability_from: str | None = None
    environment: Mapping[str, str] = {}
    flags: Mapping[str, Any] = {}
    refuse: Refusal | None = None


class Engine(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An inference engine, from ``templates/engines/<name>/engine.toml``."""

    title: str
    docs: str
    image: str
    """The image without cards, or where no choice of ``images`` fits; empty: the tier has to name one."""
    images: tuple[ImageChoice, ...] = ()
    own_command: bool = False
    """The tier brings Compose's ``entrypoint``, ``command`` and ``healthcheck``; nothing is added to them."""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    """Positional arguments before the flags; ``{model}`` is the model's place."""
    flag_style: Literal["equals", "space"]
    list_style: Literal["spread", "repeat"]
    models: tuple[ModelKind, ...]
    model_needed: bool = True
    model_dir: str
    hub_cache: str
    api_base: str
    vendors: tuple[str, ...]
    options: Mapping[str, str | tuple[str, ...]]
    """Option -> flag or flags, in the order of the command line."""
    variables: Mapping[str, str] = {}
    """Option -> environment variable, for an engine that takes no flag for it."""
    option_flags: Mapping[str, Mapping[str, Any]] = {}
    """Option -> flags that go with it where it is set."""
    lora_form: str = "{path}"
    """How an adapter is written, by its ``{name}`` and ``{path}``."""
    aliases: Mapping[str, str] = {}
    """Other flags -> the option that they would set."""
    flags: Mapping[str, Any] = {}
    """Flags that are always there, unless the inventory sets or removes them."""
    defaults: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    """Variables that are always there; ``{port}`` is filled in."""
    hub_environment: Mapping[str, str] = {}
    """Variables that are there where something comes from the hub."""
    tasks: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=lambda: {"chat": {}})
    """Task that it can serve -> the flags that make it do so."""
    health: Health | None = None
    caches: tuple[Cache, ...] = ()
    tools: tuple[str, ...] = ()
    """Flags that must all be set for the model to be offered tools."""
    quirks: tuple[Quirk, ...] = ()


class Vendor(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A maker of cards, from ``templates/gpus/<name>/gpu.toml``. ``{uuids}`` is the comma-separated list."""

    title: str
    uuid_pattern: str
    uuid_help: str
    environment: Mapping[str, str] = {}
    platforms: Mapping[str, Mapping[str, str]] = {}
    """Platform -> further environment."""


class RouterKind(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A router, from ``templates/routers/<name>/router.toml``; its ``tree/`` is laid into the deploy tree."""

    title: str
    docs: str
    tasks: tuple[str, ...]
    """Tasks that it routes, by the served name."""
    alias_tasks: tuple[str, ...]
    """Those of them that it routes by aliases as well."""
    case_sensitive: bool
    reserved_variables: tuple[str, ...] = ()
    """Variables of its container that cannot hold the clients' key."""
    project_prefix: str = ""
    """What a project's name must start with for ``prefixed_files`` to be of use."""
    prefixed_files: tuple[str, ...] = ()
    health: Health
    defaults: Mapping[str, Any] = {}
    variables: Mapping[str, Any] = {}


DERIVED_OPTIONS = ("model", "model.path", "model.repo", "model.file", "revision", "tensor_parallel")
"""What an engine's flags may say beside the options of a tier: the model's argument, and the number of cards."""

_UNKNOWN_FIELD = re.compile("unknown field `([^`]+)`")
_Data = TypeVar("_Data", Engine, Vendor, RouterKind)


@cache
def shipped_templates() -> Path:
    """Return the templates of this installation: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "defaults.toml").is_file():
            return folder
    raise FileNotFoundError(f"no templates beside {package}: the installation is not complete")


class Catalog:
    """All data of one set of template roots, read when first asked for."""

    def __init__(self, user_templates: Path | None = None) -> None:
        """Take the shipped templates, with ``user_templates`` before them where that folder exists."""
        shipped = shipped_templates()
        self.roots: tuple[Path, ...] = (shipped,)
        if user_templates is not None and user_templates.is_dir() and not user_templates.samefile(shipped):
            self.roots = (user_templates, shipped)
        self._documents: dict[str, Document] = {}
        self._data: dict[str, Any] = {}

    @cached_property
    def defaults(self) -> Mapping[str, Mapping[str, Any]]:
        """Section -> option -> default; None for an option that has none."""
        data = Document(self.roots[-1] / "defaults.toml", display="templates/defaults.toml").data
        return {
            section: {**dict.fromkeys(table.get("unset", ())), **{k: v for k, v in table.items() if k != "unset"}}
            for section, table in data.items()
        }

    def names(self, kind: str) -> list[str]:
        """Return the entries of a folder of templates (``engines``, ``gpus``, ``routers``), sorted."""
        return sorted(
            {
                entry.name
                for root in self.roots
                if (root / kind).is_dir()
                for entry in (root / kind).iterdir()
                if entry.is_dir() and any(entry.glob("*.toml"))
            }
        )

    def engine(self, name: str) -> Engine | None:
        """Return an engine's data, None where no folder has that name."""
        return self._load(f"engines/{name}/engine.toml", Engine)

    def vendor(self, name: str) -> Vendor | None:
        """Return a card vendor's data, None where no folder has that name."""
        return self._load(f"gpus/{name}/gpu.toml", Vendor)

    def router(self, name: str) -> RouterKind | None:
        """Return a router's data, None where no folder has that name."""
        return self._load(f"routers/{name}/router.toml", RouterKind)

    def find(self, path: str) -> Path | None:
        """Return the file of that path below the templates, a user's before the shipped one."""
        return next((root / path for root in self.roots if (root / path).is_file()), None)

    def below(self, folder: str) -> list[str]:
        """Return every template below a folder, as paths relative to it, sorted."""
        return sorted(
            {
                path.relative_to(root / folder).as_posix()
                for root in self.roots
                for path in (root / folder).rglob("*.j2")
                if path.is_file()
            }
        )

    def locate(self, path: str, key: KeyPath) -> Location | None:
        """Return where a key stands in a data file that was read."""
        document = self._documents.get(path)
        return document.location(key) if document else None

    def unknown(self, kind: str, name: str) -> tuple[str, str]:
        """Return detail and remedy for a name that no folder has."""
        names = self.names(kind)
        remedy = did_you_mean(name, names) or f'write one of them, or add a folder "templates/{kind}/{name}/"'
        return f'"{name}" is none of: {listing(names)}', remedy

    def _load(self, path: str, kind: type[_Data]) -> _Data | None:
        if path not in self._data:
            found = self.find(path)
            self._data[path] = None if found is None else self._read(path, found, kind)
        data: _Data | None = self._data[path]
        return data

    def _read(self, path: str, found: Path, kind: type[_Data]) -> _Data:
        display = f"templates/{path}" if found.is_relative_to(self.roots[-1]) else found.as_posix()
        document = self._documents[path] = Document(found, display=display)
        try:
            data = msgspec.convert(document.data, kind)
        except msgspec.ValidationError as error:
            pieces: tuple[str, str, str] = str(error).partition(" - at `$")
            message = pieces[0]
            unknown = _UNKNOWN_FIELD.search(message)
            parts = [*pieces[2].rstrip("`").replace("[...]", "").split("."), unknown[1] if unknown else ""]
            key: KeyPath = tuple(part for part in parts if part)
            raise DiagnosticError([_faulty(document, key, message)]) from None
        unread = list(self._unknown_options(data))
        if unread:
            raise DiagnosticError(
                _faulty(document, path, f'"{path[-1]}" is no option: {listing(known, limit=40)}')
                for path, known in unread
            )
        return data

    def _unknown_options(self, data: Engine | Vendor | RouterKind) -> Iterator[tuple[KeyPath, Iterable[str]]]:
        """Yield the options of a data file that no inventory has, each with those that there are."""
        if isinstance(data, Vendor):
            return
        section = self.defaults["tier" if isinstance(data, Engine) else "router"]
        for name in data.defaults:
            if name not in section:
                yield ("defaults", name), section
        if isinstance(data, Engine):
            known = {*section, *DERIVED_OPTIONS}
            for table in ("options", "variables"):
                yield from (((table, name), known) for name in getattr(data, table) if name not in known)


def _faulty(document: Document, path: KeyPath, detail: str) -> Diagnostic:
    return Diagnostic(
        summary="template data is not as it should be",
        detail=detail,
        remedy="docs/templates.md lists every key",
        address=address(path),
        location=document.location(path, key=True),
    )
