"""What is known of the engine of a service, as the version of its image has it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.gpu_vendor import Vendor
from anvil_gen.importing.texts import plain
from anvil_gen.resolve.flag_check import FlagRules, flag_rules
from anvil_gen.values import canonical_flag

_MANY = 1 << 20


class EngineFacts(Struct, frozen=True, kw_only=True):
    """An engine as the image of a service has it, and what its version takes."""

    name: str
    engine: Engine
    rules: FlagRules | None

    def main_form(self, flag: str) -> str:
        """Return the name of a flag without dashes, as the engine's data has it; empty where it has none."""
        name = canonical_flag(flag.lstrip("-"))
        named = self.engine.fields.get(self.engine.flag_aliases.get(name, ""))
        name = named if isinstance(named, str) else name
        if flag.startswith("--"):
            return self.rules.main_form(name) if self.rules is not None else name
        if self.rules is None:
            return ""
        return self.rules.timeline.short_form(name, self.rules.release.checked[0]) or ""

    def takes(self, name: str) -> int:
        """Return how many words may follow a flag: none, one, or many."""
        flag = self.rules.timeline.find(name, self.rules.release.checked[0]) if self.rules is not None else None
        if flag is None:
            return _MANY
        return 0 if flag.type == "switch" and not flag.words else _MANY if flag.several else 1


def facts_of(catalog: Catalog, name: str, image: Any) -> EngineFacts:
    """Return an engine as the version of an image has it."""
    return _facts_of(catalog, name, plain(image or ""))


@lru_cache(512)
def _facts_of(catalog: Catalog, name: str, image: str) -> EngineFacts:
    engine = catalog.engine(name)
    if engine is None:
        raise LookupError(name)
    timeline = catalog.flag_timeline(name)
    rules = flag_rules(timeline, engine, image)
    return EngineFacts(name=name, engine=engine.at(rules.release.version) if rules else engine, rules=rules)


def usual_vendor(catalog: Catalog) -> Vendor:
    """Return the vendor of GPUs that an inventory does not name."""
    vendor = catalog.vendor(catalog.defaults["gpu"]["vendor"])
    if vendor is None:
        raise LookupError("vendor")
    return vendor


def usual_driver(catalog: Catalog) -> str:
    """Return the driver of a reservation of GPUs that an inventory does not name."""
    forms = {str(name): form for name, form in usual_vendor(catalog).requests.items()}
    return forms[catalog.defaults["host"]["gpu_request"]].driver
