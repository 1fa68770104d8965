"""What the family of a tier's model wants of its engine: parsers of tool calls and reasoning, a template, a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.catalog.model_families import ModelFamily, family_of, family_of_architecture, model_families
from anvil_gen.catalog.release import image_version, plain_image
from anvil_gen.diagnostics import join_words
from anvil_gen.inventory.lock_file import Lock, model_key
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tier
from anvil_gen.values import canonical_flag

_CHAT = "chat"
_WITHOUT = {
    "tools": "a client's tools are refused, or its calls come as text",
    "reasoning": "what it thinks comes inside of the answer",
}


class Lack(Struct, frozen=True, kw_only=True):
    """What a tier lacks, by the flag that would say it."""

    code: str
    flag: str
    detail: str
    remedy: str


def warn_of_model_needs(host: Host) -> None:
    """Warn of tiers that lack what the family of their model needs, or whose image is older than it."""
    for tier in host.stack.tiers:
        engine = host.catalog.engine(tier.engine)
        if engine is None or tier.replica_of or tier.options.command is not None:
            continue
        for lack in _lacks_of(host, tier, engine):
            place = ("tiers", tier.name, "flags", lack.flag)
            written = host.collector.value_at(place) is not None
            path = place if written else ("tiers", tier.name, "model")
            host.collector.add(lack.code, path, lack.detail, lack.remedy, severity="warning")


def _lacks_of(host: Host, tier: Tier, engine: Engine) -> Iterator[Lack]:
    model = tier.options.model
    if not isinstance(model, ModelTable):
        return
    families, (name, revision) = model_families(host.catalog), _name_of(model)
    family = family_of(name, families)
    if family is not None:
        yield from lacks(family, tier, engine)
        return
    # Others train models of an architecture for tools and reasoning of their own: its version alone is certain.
    family = family_of_architecture(_locked_architecture(host.lock, name, revision), families)
    yield from _older_image(family, tier, engine) if family is not None else ()


def _name_of(model: ModelTable) -> tuple[str, str | None]:
    """Return how a model is named, without the tag of a repository, and its revision."""
    name = next((str(one) for one in (model.repo, model.path, model.file) if one is not UNSET), "")
    name = name.partition(":")[0] if model.repo is not UNSET else name
    return name, None if model.revision is UNSET else str(model.revision)


def _locked_architecture(lock: Lock, name: str, revision: str | None) -> str:
    pin = lock.models.get(model_key(name, revision))
    facts = pin.facts.get("facts", {}) if pin is not None else {}
    return str(facts.get("architecture", "")) if isinstance(facts, Mapping) else ""


def flags_of(family: ModelFamily, name: str, engine: Engine) -> dict[str, Any]:
    """Return the flags with which an engine of a name serves a family well: parsers, template and sampling."""
    flags: dict[str, Any] = {}
    if name in family.tools and "tools" in engine.model_flags:
        flags |= dict.fromkeys(engine.tool_flags, True) | {engine.model_flags["tools"]: family.tools[name][0]}
    if name in family.reasoning and "reasoning" in engine.model_flags:
        flags[engine.model_flags["reasoning"]] = family.reasoning[name][0]
    if name in family.chat_template and "chat_template" in engine.model_flags:
        flags[engine.model_flags["chat_template"]] = family.chat_template[name]
    return flags | {
        engine.model_flags[kind]: value for kind, value in family.sampling.items() if kind in engine.model_flags
    }


def lacks(family: ModelFamily, tier: Tier, engine: Engine) -> Iterator[Lack]:
    """Yield what a tier lacks that serves a model of a family."""
    yield from _older_image(family, tier, engine)
    if tier.task != _CHAT or family.task:
        return
    flags = {canonical_flag(name): value for name, value in {**engine.flags, **tier.options.flags}.items()}
    for kind in ("tools", "reasoning"):
        yield from _parser(kind, family, tier, engine, flags)
    template = family.chat_template.get(tier.engine)
    flag = engine.model_flags.get("chat_template", "")
    if template and flag and flag not in flags and flags.get(engine.model_flags["tools"]):
        detail = f"{family.title} calls tools with another chat template than the one in its files"
        yield Lack(
            code="flag-of-the-model-is-missing", flag=flag, detail=detail, remedy=f'write flags.{flag} = "{template}"'
        )


def _older_image(family: ModelFamily, tier: Tier, engine: Engine) -> Iterator[Lack]:
    since = family.since.get(tier.engine, "")
    version = image_version(engine, plain_image(tier.service.image))
    if since and version and version_key(version) < version_key(since):
        detail = f"{engine.title} serves {family.title} since {since}, and the image holds {version}"
        remedy = f"name an image of {since} or later"
        yield Lack(code="image-older-than-the-model", flag="", detail=detail, remedy=remedy)


def _parser(kind: Any, family: ModelFamily, tier: Tier, engine: Engine, flags: Mapping[str, Any]) -> Iterator[Lack]:
    parsers, flag = getattr(family, kind).get(tier.engine), engine.model_flags.get(kind)
    if not parsers or flag is None:
        return
    value = flags.get(flag)
    if value is None:
        wanted = {**{name: True for name in engine.tool_flags if kind == "tools"}, flag: f'"{parsers[0]}"'}
        entries = join_words(f"flags.{name} = {'true' if text is True else text}" for name, text in wanted.items())
        detail = f"{family.title} on {engine.title} without --{flag}: {_WITHOUT[kind]}"
        remedy = f"write {entries}; flags.{flag} = false if that is meant"
        yield Lack(code="flag-of-the-model-is-missing", flag=flag, detail=detail, remedy=remedy)
    elif isinstance(value, str) and value not in parsers and f"{flag}-plugin" not in flags:
        detail = f'"{value}" reads other forms than those of {family.title}: {_WITHOUT[kind]}'
        yield Lack(
            code="parser-of-another-model", flag=flag, detail=detail, remedy=f'write flags.{flag} = "{parsers[0]}"'
        )
