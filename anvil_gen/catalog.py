"""What anvil-gen knows as data: engines, routers, card vendors and defaults, found by listing folders.

A user's ``templates/`` beside ``hosts/`` adds to the shipped folders or overrides them, file by file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from anvil_gen.capabilities import CAPABILITIES
from anvil_gen.card_data import Vendor, meaningless
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, display_path, join_words
from anvil_gen.inventory.fields import ComputeCapability, Platform, Task
from anvil_gen.inventory.schema import TierTable
from anvil_gen.inventory.schema_router import RouterTable
from anvil_gen.inventory.struct_errors import struct_errors, unknown_names
from anvil_gen.inventory.toml_file import Document
from anvil_gen.template_folders import KINDS, texts, unread
from anvil_gen.values import KeyPath, address, canonical_flag

ModelKind = Literal["path", "repo", "file"]


class Health(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a container is asked whether it serves. ``{port}`` and ``{path}`` are filled into ``test``."""

    path: str
    test: tuple[str, ...]
    tls_test: tuple[str, ...] = ()
    """Of a router that serves HTTPS, where ``test`` does not do."""
    interval: str = "10s"
    timeout: str = "5s"
    retries: int = 3
    start_period: str = "30s"  # of a router; an engine's is an option of its tier


class Cache(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A named volume of the project for what an engine can make again, so that a recreate does not cost minutes."""

    volume: str
    target: str
    reason: str


class ModelsEndpoint(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where an engine tells which models it serves: ``names`` is the way to them in its JSON, ``[]`` for each item."""

    path: str = "/v1/models"
    names: str = "data[].id"


class Refusal(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A value of an option that does not work where its quirk applies."""

    option: str
    values: tuple[str, ...]
    remedy: str


class ImageChoice(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An image for the cards of one vendor, or of one compute capability."""

    image: str
    vendor: str
    compute_capability: ComputeCapability | None = None


class Quirk(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A peculiarity on one platform, some cards or several of them; ``reason`` says why it is there."""

    reason: str
    platform: Platform | None = None
    cards_from: int = 0
    compute_capability_below: ComputeCapability | None = None
    compute_capability_from: ComputeCapability | None = None
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
    image_gib: float = 10.0
    """What the largest of its images takes on the disk, unpacked, in GiB and roughly."""
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
    served_names: Literal["one", "several", "any"] = "one"
    """Model names that it answers to: the served name alone, further ones that it is told too, or whatever is asked."""
    lora_form: str = "{path}"
    """How an adapter is written, by its ``{name}`` and ``{path}``."""
    aliases: Mapping[str, str] = {}
    """Other flags -> the option that they would set."""
    flags: Mapping[str, Any] = {}
    """Flags that are always there, unless the inventory sets or removes them."""
    defaults: Mapping[str, Any] = {}
    reasons: Mapping[str, str] = {}
    """Habit of its services (a key of `[reasons]` in defaults.toml) -> why it is so with this engine."""
    environment: Mapping[str, str] = {}
    """Variables that are always there; ``{port}`` is filled in."""
    hub_environment: Mapping[str, str] = {}
    """Variables that are there where something comes from the hub."""
    tasks: Mapping[Task, Mapping[str, Any]] = msgspec.field(default_factory=lambda: {"chat": {}})
    """Task that it can serve -> the flags that make it do so."""
    health: Health | None = None
    models_endpoint: ModelsEndpoint = ModelsEndpoint()
    caches: tuple[Cache, ...] = ()
    tools: tuple[str, ...] = ()
    """Flags that must all be set for the model to be offered tools."""
    quirks: tuple[Quirk, ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """Flag, by its canonical name -> the option that sets it."""
        mapped = {
            canonical_flag(flag): option
            for option, flags in self.options.items()
            for flag in ((flags,) if isinstance(flags, str) else flags)
        }
        return {**mapped, **{canonical_flag(flag): option for flag, option in self.aliases.items()}}


class RouterKind(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A router, from ``templates/routers/<name>/router.toml``; its ``tree/`` is laid into the deploy tree."""

    title: str
    docs: str
    tasks: tuple[Task, ...]
    """Tasks that it routes, by the served name."""
    alias_tasks: tuple[Task, ...]
    """Those of them that it routes by aliases as well."""
    case_sensitive: bool
    capabilities: tuple[str, ...] = ()
    """What it can do, of `anvil_gen.capabilities`."""
    limits: Mapping[str, str] = {}
    """What it cannot do -> what happens instead."""
    name_pattern: str = ""
    """What model names it can tell apart, where that is not every name; ``name_help`` says it in words."""
    name_help: str = ""
    names_limit: int | None = None
    """Bytes of the longest list of models that it can answer with."""
    api_base: str = ""
    """The only path below which it can reach a tier's API; empty where it can reach any."""
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

_Data = TypeVar("_Data", Engine, Vendor, RouterKind)
_Form = TypeVar("_Form", bound=Struct)


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
            faults = list(unread(user_templates, shipped))
            if faults:
                raise DiagnosticError(faults)
            self.roots = (user_templates, shipped)
        self._data: dict[str, Any] = {}
        self._names: dict[str, list[str]] = {}

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
        if kind not in self._names:
            found = {file.parent.name for root in self.roots for file in (root / kind).glob(f"*/{KINDS[kind]}")}
            self._names[kind] = sorted(found)
        return self._names[kind]

    def engine(self, name: str) -> Engine | None:
        """Return an engine's data, None where no folder has that name."""
        return self._load("engines", name, Engine)

    def vendor(self, name: str) -> Vendor | None:
        """Return a card vendor's data, None where no folder has that name."""
        return self._load("gpus", name, Vendor)

    def router(self, name: str) -> RouterKind | None:
        """Return a router's data, None where no folder has that name."""
        return self._load("routers", name, RouterKind)

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
            found = self.find(path) if name in self.names(folder) else None
            self._data[path] = None if found is None else self._read(path, found, kind)
        data: _Data | None = self._data[path]
        return data

    def _read(self, path: str, found: Path, kind: type[_Data]) -> _Data:
        display = f"templates/{path}" if found.is_relative_to(self.roots[-1]) else display_path(found)
        return decoded(Document(found, display=display), kind, self._meaningless)

    def _meaningless(self, data: Engine | Vendor | RouterKind) -> Iterator[tuple[KeyPath, str]]:
        """Yield what is of the right form in a data file, and names what there is not."""
        if isinstance(data, Vendor):
            yield from meaningless(data)
            return
        section = self.defaults["tier" if isinstance(data, Engine) else "router"]
        struct: type[Struct] = TierTable if isinstance(data, Engine) else RouterTable
        yield from unknown_names([(("defaults", name), name) for name in data.defaults], section)
        for name, value in data.defaults.items():
            if name in section:
                yield from struct_errors({name: value}, struct, ("defaults",))
        if isinstance(data, RouterKind):
            told = [(("capabilities", at), name) for at, name in enumerate(data.capabilities)]
            yield from unknown_names([*told, *((("limits", name), name) for name in data.limits)], CAPABILITIES)
        else:
            known = {*section, *DERIVED_OPTIONS}
            keys = ("options", "variables", "option_flags")
            named: list[tuple[KeyPath, str]] = [((key, name), name) for key in keys for name in getattr(data, key)]
            named += [(("aliases", flag), option) for flag, option in data.aliases.items()]
            yield from unknown_names(named, known)
            yield from unknown_names([(("reasons", name), name) for name in data.reasons], self.defaults["reasons"])
            refusals = [(("quirks", at, "refuse", "option"), quirk.refuse) for at, quirk in enumerate(data.quirks)]
            yield from unknown_names([(path, refusal.option) for path, refusal in refusals if refusal], section)


def decoded(
    document: Document, kind: type[_Form], meaningless: Callable[[_Form], Iterable[tuple[KeyPath, str]]]
) -> _Form:
    """Return a data file as a struct; ``meaningless`` yields the places of what is of the right form and still wrong.

    Raises:
        DiagnosticError: with every place that is not as it should be.
    """
    try:
        data = msgspec.convert(document.data, kind)
    except msgspec.ValidationError:
        raise DiagnosticError(_faulty(document, *fault) for fault in struct_errors(document.data, kind, ())) from None
    faults = list(meaningless(data))
    if faults:
        raise DiagnosticError(_faulty(document, *fault) for fault in faults)
    return data


def _faulty(document: Document, path: KeyPath, detail: str) -> Diagnostic:
    return Diagnostic(
        summary="template data is not as it should be",
        detail=detail,
        remedy="docs/templates.md lists every key",
        address=address(path),
        location=document.location(path, key=True),
    )
