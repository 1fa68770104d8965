"""Models that people add to hosts, as `unit/fit/additions.toml` has them, and what is chosen for them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.choose import Choice, Wish, choose
from anvil_gen.fit.model_facts import facts_from_table
from anvil_gen.resolve.host import Host

DATA = tomllib.loads((Path(__file__).parent / "unit" / "fit" / "additions.toml").read_text("utf-8"))
INVENTORY = """schema = 1
hfcache.volume = "hub"
[gpus.only]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = {memory_mib}
compute_capability = "{compute_capability}"
"""
PARSERS = ("tool-call-parser", "reasoning-parser")


class Addition(Struct, frozen=True, kw_only=True):
    """A model on a GPU, and what is chosen for it; without a choice, why there is none."""

    model: str
    gpu: str
    choice: Choice | None
    why: str = ""
    remedy: str = ""


def additions(folder: Path) -> Iterator[Addition]:
    """Yield what is chosen for each model and GPU, on a host whose inventory is written to a folder."""
    path = folder / "box.toml"
    for model in DATA["model"]:
        for gpu in model["gpus"]:
            path.write_text(INVENTORY.format(**DATA["gpus"][gpu]))
            wish = Wish(model=model["name"], table={"repo": model["name"]})
            try:
                choice = choose(Host(path, Catalog()), facts_from_table(model["facts"]), wish, {})
            except DiagnosticError as error:
                why = error.diagnostics[0].detail.removeprefix("only: ")
                remedy = error.diagnostics[0].remedy
                yield Addition(model=model["name"], gpu=gpu, choice=None, why=why, remedy=remedy)
            else:
                yield Addition(model=model["name"], gpu=gpu, choice=choice)


def table(found: list[Addition]) -> list[str]:
    """Return the rows of the table in docs/memory.md."""
    head = ["model", "GPU", "engine", "context", "cache, sequences, memory", "parsers of tools and reasoning", "fit"]
    return [_row(head), _row(["---"] * len(head)), *(_row(_cells(one)) for one in found)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(one: Addition) -> list[str]:
    name = one.model.partition("/")[2]
    if one.choice is None:
        return [name, one.gpu, "none", "", "", "", one.why]
    chosen: dict[str, Any] = dict(one.choice.table)
    settings = [
        str(chosen.get("kv_cache_dtype", "")),
        f"{chosen['max_sequences']} sequences" if "max_sequences" in chosen else "",
        f"fraction {chosen['gpu_memory_utilization']}" if "gpu_memory_utilization" in chosen else "",
        str(chosen.get("gpu_memory", "")),
    ]
    context = f"{chosen['context_length']:,}" if "context_length" in chosen else ""
    parsers = [str(chosen.get("flags", {}).get(flag, "")) for flag in PARSERS]
    cells = [chosen["engine"], context, ", ".join(filter(None, settings)), ", ".join(filter(None, parsers))]
    return [name, one.gpu, *cells, one.choice.setup.verdict]
