"""What a tier has besides its model that takes memory too: a draft, a projector, adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine_memory import Interval
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.estimate import Case, exactly
from anvil_gen.fit.gguf_header import HeaderError, read_gguf
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import settings_of
from anvil_gen.fit.weights import weights_on_gpu
from anvil_gen.inventory.schema_model import AdapterTable, WeightsTable
from anvil_gen.resolve.model import Tier
from anvil_gen.values import canonical_flag

_NOTHING = exactly(0)
_MATRICES = 3  # of a layer's own network: gate, up, down
_HALF = 2
FactsOf = Callable[[WeightsTable], ModelFacts]
PlaceOf = Callable[[str], Path | None]
"""Where something of the folder of models is; None where that is not looked at."""


class Extra(Struct, frozen=True, kw_only=True):
    """Bytes on each GPU besides a model; ``open`` is what of it is not counted."""

    size: Interval = _NOTHING
    open: str = ""


def with_extras(case: Case, tier: Tier, facts_of: FactsOf, place: PlaceOf) -> tuple[Case, tuple[str, ...]]:
    """Return a case with what its tier has besides the model, and what of that is not counted."""
    found = list(_extras(case, tier, facts_of, place))
    size = Interval(low=sum(one.size.low for one in found), high=sum(one.size.high for one in found))
    return replace(case, extra=size), tuple(one.open for one in found if one.open)


def _extras(case: Case, tier: Tier, facts_of: FactsOf, place: PlaceOf) -> Iterator[Extra]:
    options = tier.options
    if isinstance(options.draft_model, WeightsTable):
        yield _draft(case, options.draft_model, facts_of)
    if options.mmproj is not None:
        yield _projector(place(str(options.mmproj)))
    for adapter in options.lora.values():
        yield _adapter(case, tier, adapter, place)


def _draft(case: Case, model: WeightsTable, facts_of: FactsOf) -> Extra:
    """Return a small model that predicts tokens; in slots it has a context of its own."""
    try:
        facts = facts_of(model)
    except DiagnosticError:
        return Extra(open="its draft model is not counted: nothing is known of it")
    asked = case.request
    request = replace(asked, kv_dtype=None, kv_dtype_v=None, n_gpu_layers=None, speculative_tokens=0, fraction=None)
    own = replace(case, facts=facts, request=request, kv=None)
    if case.rules.cache == "slots":
        found = estimate(own)
        return Extra(size=Interval(low=found.weights.low, high=found.total.high))
    weights = weights_on_gpu(facts, settings_of(request, facts, case.rules, case.memory), case.rules)
    size = Interval(low=weights.low / asked.tensor_parallel, high=weights.high)
    return Extra(size=size, open="what its draft model keeps in the cache is not counted")


def _projector(path: Path | None) -> Extra:
    """Return what turns pictures into tokens: its weights are all on the GPU."""
    size = _gguf_bytes(path)
    if size is None:
        return Extra(open="its projector is not counted: its file is not here")
    return Extra(size=exactly(size), open="the buffer in which its projector computes a picture is not counted")


def _adapter(case: Case, tier: Tier, adapter: AdapterTable | str, place: PlaceOf) -> Extra:
    """Return an adapter: as large as its file in slots, else a place of the highest rank in every matrix."""
    path = adapter if isinstance(adapter, str) else None if adapter.path is UNSET else str(adapter.path)
    if case.rules.cache == "slots":
        size = _gguf_bytes(place(path)) if path is not None else None
        return (
            Extra(size=exactly(size)) if size is not None else Extra(open="an adapter is not counted: it is not here")
        )
    rank = _rank(tier, adapter, place(path) if path is not None else None)
    if rank is None:
        return Extra(open="its adapters are not counted: nothing says their rank")
    slots = _number(tier, "max-loras") or 1
    high = _low_rank_elements(case.facts) * rank * slots * _HALF / len(tier.options.lora)
    return Extra(size=Interval(low=0, high=high))


def _rank(tier: Tier, adapter: AdapterTable | str, folder: Path | None) -> int | None:
    """Return the rank that an engine makes room for."""
    stated = _number(tier, "max-lora-rank")
    own = None if isinstance(adapter, str) or adapter.rank is UNSET else adapter.rank
    if stated or own:
        return stated or own
    config = folder / "adapter_config.json" if folder is not None else None
    if config is None or not config.is_file():
        return None
    try:
        found = msgspec.json.decode(config.read_bytes())
    except msgspec.DecodeError:
        return None
    rank = found.get("r") if isinstance(found, dict) else None
    return rank if isinstance(rank, int) else None


def _number(tier: Tier, flag: str) -> int | None:
    flags = {canonical_flag(name): value for name, value in tier.options.flags.items()}
    value = str(flags.get(flag, ""))
    return int(value) if value.isdecimal() else None


def _low_rank_elements(facts: ModelFacts) -> int:
    """Return the sides of all matrices that an adapter may change: a rank has as many elements for each."""
    attention = facts.attention or facts.sliding
    queries = facts.heads * attention.head_dim if attention is not None else facts.hidden
    keys = attention.kv_heads * attention.head_dim if attention is not None else 0
    around = 2 * (facts.hidden + queries) + 2 * (facts.hidden + keys)
    return len(facts.pattern) * (around + _MATRICES * (facts.hidden + facts.intermediate))


def _gguf_bytes(path: Path | None) -> int | None:
    try:
        return None if path is None else sum(tensor.size for tensor in read_gguf(path).tensors)
    except (HeaderError, OSError):
        return None
