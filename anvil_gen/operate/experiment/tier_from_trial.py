"""Converts a trial to a tier: the slot's table and the trial's own flags, as one ``[tiers.NAME]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import Diagnostic, printable
from anvil_gen.inventory.schema_tier import ModelServerTable
from anvil_gen.inventory.typed_values import flag_entry, typed_value
from anvil_gen.operate.experiment.parse_args import Flag, parse_arguments
from anvil_gen.resolve.parallel import PARALLEL_FIELDS
from anvil_gen.text.masking import MASK, may_hold_secret
from anvil_gen.values import Number

# Option of an engine -> the type of its field, for those that a trial's flag may set.
_FIELD_TYPES: dict[str, type] = {
    "context_length": int,
    "max_sequences": int,
    "kv_cache_dtype": str,
    "gpu_memory_utilization": Number,
}
_TYPES = {int: "a whole number", Number: "a fraction like 0.90", str: "text"}
# Keys of [experiment] that are specific to the slot, or set by the trial itself.
_NOT_COPIED = ("engine", "image", "port", "restart", "environment", "flags", "mounts")
_AGAIN = "start the trial again without it, then promote it"


class TrialFacts(Struct, frozen=True, kw_only=True):
    """The facts of a trial that runs as its slot's file defines it.

    ``slot`` and ``defaults`` are the inventory's ``[experiment]`` and ``[defaults]`` as they are written, ``options``
    the slot's resolved ones; ``own`` are the arguments that the slot gives to the engine, ``extra`` the trial's.
    """

    engine_name: str
    engine: Engine
    slot: Mapping[str, Any]
    defaults: Mapping[str, Any]
    options: Mapping[str, Any]
    image: str
    own: tuple[str, ...]
    extra: tuple[str, ...]
    model: str
    served_name: str
    gpu: str | None
    port: int


class TierFromTrial(Struct, frozen=True, kw_only=True):
    """A trial as a tier's table; ``diagnostics`` are what an inventory cannot express."""

    table: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...]


def tier_of_trial(facts: TrialFacts, *, name: str, standby: bool) -> TierFromTrial:
    """Return the table of the tier that serves what a trial serves."""
    line = parse_arguments(facts.extra)
    diagnostics = [_unsupported_argument(word) for word in line.stray]
    own: dict[str, tuple[str, ...]] = {flag.canonical: flag.values for flag in parse_arguments(facts.own).flags}
    added: dict[str, tuple[str, ...]] = {}
    spelled: dict[str, str] = {}
    for flag in line.flags:
        known = own.get(flag.canonical, added.get(flag.canonical))
        if known is None or (flag.canonical not in own and _repeats(facts.engine, flag)):
            added[flag.canonical] = (*added.get(flag.canonical, ()), *flag.values)
            spelled.setdefault(flag.canonical, flag.name)
        elif known != flag.values:
            diagnostics.append(_conflicting_values(flag, known, of_slot=flag.canonical in own))
    fields = facts.engine.flag_fields
    mapped = {name: values for name, values in added.items() if name in fields}
    fields_set, errors = _options(facts, mapped)
    flags = {spelled[name]: flag_entry(values) for name, values in added.items() if name not in fields}
    table = _table(facts, fields_set, flags, name=name, standby=standby)
    return TierFromTrial(table=table, diagnostics=(*diagnostics, *errors))


def _repeats(engine: Engine, flag: Flag) -> bool:
    """Tell whether a repeated flag is a list: if the engine takes lists that way and no field has the flag."""
    return engine.list_style == "repeat" and flag.canonical not in engine.flag_fields and bool(flag.values)


def _options(facts: TrialFacts, mapped: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Return the fields that a trial's flags set, and errors for those that no field can express."""
    by_option: dict[str, dict[str, tuple[str, ...]]] = {}
    for flag, values in mapped.items():
        by_option.setdefault(facts.engine.flag_fields[flag], {})[flag] = values
    fields: dict[str, Any] = {}
    diagnostics: list[Diagnostic] = []
    for option, flags in by_option.items():
        flag, values = next(iter(flags.items()))
        diagnostic = _field_error(facts, option, flags)
        if diagnostic is not None:
            diagnostics.append(diagnostic)
        elif option in _FIELD_TYPES:
            fields[option] = typed_value(values[0]) if _FIELD_TYPES[option] is not str else values[0]
        elif option == "revision":
            fields[option] = values[0]
    return fields, diagnostics


def _field_error(facts: TrialFacts, option: str, flags: Mapping[str, tuple[str, ...]]) -> Diagnostic | None:
    """Return why a field cannot express the flags of its option; None if it can."""
    flag, values = next(iter(flags.items()))
    written, field = " ".join((f"--{flag}", *values)), option
    if len(set(flags.values())) > 1:
        given = " and ".join(" ".join((f"--{name}", *texts)) for name, texts in flags.items())
        return Diagnostic(code="conflicting-values", detail=f"{field}: {printable(given)}", remedy=_AGAIN)
    if option in PARALLEL_FIELDS:
        fits, why = values == ("1",), "a tier's parallel GPUs are its `gpus`, and the slot has one"
    elif option == "revision":
        fits, why = len(values) == 1, "a revision is one name"
    elif option not in _FIELD_TYPES:
        fits, why = False, f'the field "{option}" takes what is on the host, and the trial gets it from elsewhere'
    else:
        named = facts.engine.fields.get(option, ())
        needed = {named} if isinstance(named, str) else {*named}
        if len(needed) > 1 and len(flags) < len(needed):
            both = " and ".join(f"--{one}" for one in sorted(needed))
            fits, why = False, f'the field "{field}" sets {both} to one value'
        else:
            kind = _FIELD_TYPES[option]
            value = typed_value(values[0]) if len(values) == 1 else None
            fits = value is not None and (kind is str or isinstance(value, int if kind is int else int | Number))
            why = f'the field "{field}" takes {_TYPES[kind]}'
    if fits:
        return None
    return Diagnostic(code="value-not-supported-by-the-field", detail=f"{printable(written)}: {why}", remedy=_AGAIN)


def _table(
    facts: TrialFacts, fields: Mapping[str, Any], flags: Mapping[str, Any], *, name: str, standby: bool
) -> dict[str, Any]:
    """Return the tier's table, in the usual order of its keys."""
    slot, defaults = facts.slot, facts.defaults
    model = {"repo": facts.model, **({"revision": fields["revision"]} if "revision" in fields else {})}
    table: dict[str, Any] = {"engine": facts.engine_name}
    if "image" in slot or "image" in defaults:
        table["image"] = slot.get("image", facts.image)
    if facts.gpu is not None or "gpus" in defaults:
        table["gpus"] = [facts.gpu] if facts.gpu is not None else []
    table |= {"port": facts.port, "model": model}
    if facts.served_name != facts.options["served_name"]:
        table["served_name"] = facts.served_name
    elif "served_name" in defaults:
        table["served_name"] = name
    for key in ModelServerTable.__struct_fields__:
        if key in fields:
            table[key] = fields[key]
        elif key in slot and key not in _NOT_COPIED:
            table[key] = slot[key]
        elif key in defaults and key not in _NOT_COPIED and facts.options[key] not in (None, defaults[key]):
            table[key] = facts.options[key]
    if standby:
        table["standby"] = True
    own = {**slot.get("flags", {}), **flags}
    # Flags that only [defaults] sets are not part of the trial.
    removed = {flag: False for flag in defaults.get("flags", {}) if flag not in own}
    tables = {"environment": slot.get("environment", {}), "flags": {**own, **removed}, "mounts": slot.get("mounts", {})}
    return table | {key: dict(sorted(entries.items())) for key, entries in tables.items() if entries}


def _unsupported_argument(word: str) -> Diagnostic:
    if word.startswith("-") and word != "--":
        detail = f'"{printable(word)}" is a short flag; inventories use long names'
        remedy = "start the trial again with its long name, then promote it"
    else:
        detail, remedy = f'"{printable(word)}" is neither a flag nor the value of one', _AGAIN
    return Diagnostic(code="argument-cannot-be-written-in-an-inventory", detail=detail, remedy=remedy)


def _conflicting_values(flag: Flag, known: tuple[str, ...], *, of_slot: bool) -> Diagnostic:
    before, after = (printable(" ".join(values)) or "nothing" for values in (known, flag.values))
    if may_hold_secret(flag.name):
        before = after = MASK
    remedy = "change it in [experiment], render, and start the trial again without it" if of_slot else _AGAIN
    conflict = f"the slot sets {before}, the trial {after}" if of_slot else f"the trial sets both {before} and {after}"
    detail = f"--{flag.name}: {conflict}"
    return Diagnostic(code="conflicting-values", detail=detail, remedy=remedy)


def free_port(first: int, taken: Mapping[int, str]) -> int | None:
    """Return the first port, from ``first`` on, that the inventory assigns to nothing else; None if there is none."""
    return next(_ports(first, taken), None)


def _ports(first: int, taken: Mapping[int, str]) -> Iterator[int]:
    yield from (port for port in range(first, 65536) if port not in taken)
