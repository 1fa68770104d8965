"""The names of what a tier serves: its model's, those of several models in one server, and its adapters'."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.model_source import serves_several
from anvil_gen.values import KeyPath, fill

_SECTION = lazy_pattern(r"^[ \t]*\[([^\]\n]+)\]", re.MULTILINE)
_FOR_ALL = "*"
"""The section of a presets file that holds for every model."""


class ModelNames(Struct, frozen=True, kw_only=True):
    """The names that requests may ask a tier for.

    ``served`` are the model's own names, the first being the tier's; with ``several`` each is another model, and the
    engine knows them by itself.
    """

    served: tuple[str, ...]
    adapters: tuple[str, ...] = ()
    several: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, the tier's first."""
        return (*self.served, *self.adapters)

    def given(self, engine: Engine | None) -> tuple[str, ...]:
        """Return those that an engine is given: none where it knows them, the first where it answers to any."""
        if self.several:
            return ()
        return self.served if engine is not None and engine.served_names == "several" else self.served[:1]


def model_names(context: ResolveContext, server: TierServer, presets: str | None) -> ModelNames:
    """Return the names of what a tier serves; ``presets`` is the text of its presets file."""
    options, engine = server.options, server.engine
    several = serves_several(options.model) or _is_filled_later(server)
    if several:
        served = _names_of_several(context, server, presets)
    else:
        served = tuple(dict.fromkeys(options.served_names or (options.served_name,)))
        _check_names(context, server, served)
    _check_fields(context, server, several=several)
    form = engine.lora_served_as if engine is not None else ""
    adapters = (str(fill(form, {"served_name": str(served[0]), "name": name})) for name in sorted(options.lora) if form)
    return ModelNames(served=served, adapters=tuple(adapters), several=several)


def preset_names(text: str) -> Iterator[str]:
    """Yield the names of the models in a presets file: those of its sections."""
    yield from (name.strip() for name in _SECTION.findall(text) if name.strip() != _FOR_ALL)


def name_path(server_path: KeyPath, names: ModelNames, name: str, origin: KeyPath | None) -> KeyPath:
    """Return where a tier's name is written: ``origin`` is where the names of its models are."""
    return (*server_path, "lora") if name in names.adapters else origin or server_path


def _is_filled_later(server: TierServer) -> bool:
    """Return whether a server starts without a model, and has those that are pulled into it."""
    return server.engine is not None and server.engine.hub_always and not isinstance(server.options.model, ModelTable)


def _names_of_several(context: ResolveContext, server: TierServer, presets: str | None) -> tuple[str, ...]:
    model, named = server.options.model, tuple(server.options.served_names or ())
    if isinstance(model, ModelTable) and model.repos is not UNSET:
        if named:
            detail = "its models are known by the names of their repositories"
            path = server.options.path_of("served_names") or server.path
            context.collector.add("two-fields-for-one-thing", path, detail, "remove served_names")
        return tuple(dict.fromkeys(model.repos))
    names = tuple(dict.fromkeys(named or (preset_names(presets) if presets is not None else ())))
    unread = isinstance(model, ModelTable) and model.presets is not UNSET and presets is None
    if not names and not unread and context.inventory.router is not UNSET:
        remedy = "write served_names, with the names of its models: the router has to know them"
        context.collector.missing_key(server.path, "served_names", remedy)
    return names or (server.options.served_name,)


def _check_names(context: ResolveContext, server: TierServer, served: tuple[str, ...]) -> None:
    """Report names that an engine cannot be given next to its first."""
    engine = server.engine
    if engine is None or len(served) == 1 or engine.served_names == "any":
        return
    path = server.options.path_of("served_names") or server.path
    if engine.served_names == "one":
        detail = f'{engine.title} answers to "{served[0]}" alone'
        context.collector.add("not-for-this-engine", path, detail, "write served_name")
    elif engine.list_style == "spread":
        for name in served:
            if name.startswith("-"):
                detail = f'{engine.title} would take "{name}" for a flag'
                context.collector.add("invalid-name", path, detail, "write another name")


def _check_fields(context: ResolveContext, server: TierServer, *, several: bool) -> None:
    """Report fields that say the same, or that mean nothing for several models."""
    options = server.options
    if options.served_names is not None and options.path_of("served_name") == (*server.path, "served_name"):
        detail, remedy = '"served_name" and "served_names" both name its model', "keep one of them"
        context.collector.add("two-fields-for-one-thing", (*server.path, "served_name"), detail, remedy, key=True)
    for name in ("draft_model", "mmproj", "lora") if several else ():
        if options.get(name):
            path = options.path_of(name) or server.path
            detail = f'"{name}" belongs to one model, and this server has several'
            context.collector.add("not-for-this-model", path, detail, "write it in the presets", key=True)
