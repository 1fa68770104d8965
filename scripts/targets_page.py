"""The page of what becomes of each field in each target."""

from __future__ import annotations

from keys_pages import TABLES, heading
from page_parts import NOTE, table

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.target import Target
from anvil_gen.inventory.json_schema import inventory_schema
from anvil_gen.inventory.schema_own_keys import OWN_KEYS

# Table of the inventory -> what its keys begin with in a target's data, where the title does not say it.
_PREFIXES = {
    "(top level)": "",
    "model of a tier": "tiers.*.model.",
    "draft_model of a tier": "tiers.*.draft_model.",
}


_FORMS = {"refused": "**refused**: {}", "left_out": "*left out*: {}", "otherwise": "{}"}


def targets_page(catalog: Catalog) -> str:
    """Return the page."""
    names = catalog.names("targets")
    targets = {name: target for name in names if (target := catalog.target(name)) is not None}
    lines = [
        NOTE,
        "# What each target says",
        "",
        "Every field of an inventory in every target of `render --target NAME`. What is *left out* means nothing",
        "there; what is **refused** is an error with its line, unless `without` in the target's table names it: then",
        "it is left out. A variable is refused, but in `environment`, unless `without` names its place: then it is",
        "its default.",
    ]
    definitions = inventory_schema()["$defs"]
    for title, prefix in _tables().items():
        fields = definitions[TABLES[title][0]]["properties"]
        rows = [
            (f"`{field}`", *(_cell(target, f"{prefix}{field}") for target in targets.values()))
            for field in fields
            if prefix or field not in targets
        ]
        lines += ["", heading(title), "", *table(("field", *(f"`{name}`" for name in targets)), rows)]
    return "\n".join(lines) + "\n"


def _tables() -> dict[str, str]:
    """Return the tables of the inventory, each with what its keys begin with."""
    found = dict(_PREFIXES)
    for title in TABLES:
        name = title.strip("[]")
        if title.startswith("[") and name.partition(".")[0] not in Catalog().names("targets"):
            found[title] = f"{name.replace('NAME', '*')}."
    return found


def _cell(target: Target, field: str) -> str:
    """Return what becomes of a field, or of the table around it."""
    parts = field.split(".")
    for end in range(len(parts), 0, -1):
        key = ".".join(parts[:end])
        for reasons, form in _FORMS.items():
            words = getattr(target, reasons)
            if key in words:
                return form.format(words[key])
    words = target.keys
    if parts[:-1] != ["tiers", "*"] or parts[-1] not in OWN_KEYS or target.syntax == "compose":
        return "yes"
    if parts[-1] in words.left_out:
        return _FORMS["left_out"].format(words.left_out[parts[-1]])
    refusal = words.refusal(parts[-1])
    return _FORMS["refused"].format(refusal) if refusal else "yes"
