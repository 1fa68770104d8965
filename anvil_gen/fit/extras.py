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
from anvil_gen.fit.projector import projector_of
from anvil_gen.fit.settings import GIB, settings_of
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
    draft: ModelFacts | None = None  # whose layers keep their tokens in the model's own cache


def with_extras(case: Case, tier: Tier, facts_of: FactsOf, place: PlaceOf) -> tuple[Case, tuple[str, ...]]:
    """Return a case with what its tier has besides the model, and what of that is not counted."""
    found = list(_extras(case, tier, facts_of, place))
    size = Interval(low=sum(one.size.low for one in found), high=sum(one.size.high for one in found))
    draft = next((one.draft for one in found if one.draft is not None), None)
    return replace(case, extra=size, draft=draft), tuple(one.open for one in found if one.open)


def _extras(case: Case, tier: Tier, facts_of: FactsOf, place: PlaceOf) -> Iterator[Extra]:
    options = tier.options
    if isinstance(options.draft_model, WeightsTable):
        try:
            yield draft_extra(case, facts_of(options.draft_model))
        except DiagnosticError:
            yield Extra(open="its draft model is not counted: nothing is known of it")
    if options.mmproj is not None:
        yield _projector(case, place(str(options.mmproj)))
    for adapter in options.lora.values():
        yield _adapter(case, tier, adapter, place)


def draft_extra(case: Case, facts: ModelFacts) -> Extra:
    """Return a small model that predicts tokens; in slots it has a context of its own, as long as the model's."""
    asked = case.request
    dtype, own_layers = asked.draft.kv_dtype, asked.draft.n_gpu_layers
    request = replace(asked, kv_dtype=dtype, kv_dtype_v=asked.draft.kv_dtype_v, n_gpu_layers=own_layers, fraction=None)
    if case.rules.cache == "slots":
        # The driver's own part of the GPU is counted with the model.
        rules = replace(case.rules, overhead_gib=_NOTHING)
        found = estimate(
            replace(case, facts=facts, request=replace(request, context=_context(case)), rules=rules, kv=None)
        )
        return Extra(size=found.total)
    weights = weights_on_gpu(facts, settings_of(request, facts, case.rules, case.memory / GIB), case.rules)
    return Extra(
        size=Interval(low=weights.low / asked.tensor_parallel, high=weights.high), draft=facts, open=facts.unknown
    )


def _context(case: Case) -> int:
    """Return the context of the model itself, which a draft has too."""
    return settings_of(case.request, case.facts, case.rules, case.memory / GIB).context


def _projector(case: Case, path: Path | None) -> Extra:
    """Return what turns pictures into tokens: all of it is on the GPU."""
    try:
        header = read_gguf(path) if path is not None else None
    except (HeaderError, OSError):
        header = None
    if header is None:
        return Extra(open="its projector is not counted: its file is not here")
    found = projector_of(header, case.rules, case.request.picture_tokens)
    if found is None:
        size = exactly(sum(tensor.size for tensor in header.tensors))
        return Extra(size=size, open="the buffer in which its projector computes a picture is not counted")
    return Extra(size=found.need(flash_attention=case.request.flash_attention))


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
