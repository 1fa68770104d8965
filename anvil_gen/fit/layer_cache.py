"""What the layers of a model keep on one GPU: for each token, or as a state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine_memory import EngineMemory
from anvil_gen.fit.model_facts import LayerKind, Linear, ModelFacts
from anvil_gen.fit.settings import Settings


class LayerCache(Struct, frozen=True, kw_only=True):
    """Layers that keep the same: so many bytes for a token, or a state; in a window, for no more tokens than that."""

    kind: LayerKind
    layers: int
    token_bytes: int = 0
    state_bytes: int = 0
    window: int | None = None


def layer_caches(facts: ModelFacts, settings: Settings, rules: EngineMemory) -> list[LayerCache]:
    """Return what the layers of one GPU keep, those of a kind together."""
    pattern = facts.pattern
    per_stage = -(-len(pattern) // settings.pipeline_parallel)
    stage = [(kind, _heads(facts, at, kind)) for at, kind in enumerate(pattern[:per_stage]) if kind != "N"]
    if settings.speculative_tokens and facts.mtp is not None:
        kind = "M" if facts.mla is not None else "F"
        stage += [(kind, _heads(facts, 0, kind))] * facts.mtp.layers
    return [cache for layer, count in Counter(stage).items() for cache in _caches(layer, count, facts, settings, rules)]


def all_caches(
    facts: ModelFacts, draft: ModelFacts | None, settings: Settings, rules: EngineMemory
) -> list[LayerCache]:
    """Return what the layers of a model and of its draft keep, those that keep the same together."""
    found = layer_caches(facts, settings, rules)
    if draft is None:
        return found
    own = replace(settings, speculative_tokens=0)
    counts: Counter[LayerCache] = Counter()
    for cache in (*found, *layer_caches(draft, own, rules)):
        counts[replace(cache, layers=0)] += cache.layers
    return [replace(cache, layers=count) for cache, count in counts.items()]


def _heads(facts: ModelFacts, layer: int, kind: str) -> int:
    """Return the key-value heads of a layer."""
    if kind in "FSC" and layer < len(facts.kv_heads):
        return facts.kv_heads[layer]
    attention = facts.sliding if kind in "SCX" else facts.attention
    return attention.kv_heads if attention is not None else 0


def _caches(
    layer: tuple[str, int], count: int, facts: ModelFacts, settings: Settings, rules: EngineMemory
) -> Iterator[LayerCache]:
    kind, heads = layer
    if kind == "L" and facts.linear is not None:
        yield LayerCache(kind="L", layers=count, state_bytes=state_bytes(facts.linear, settings))
    elif kind == "M" and facts.mla is not None:
        dtype = (
            rules.indexed_dtypes.get(settings.kv_dtype, settings.kv_dtype) if facts.mla.indexer else settings.kv_dtype
        )
        latent = rules.latent_dtypes.get(dtype, round(facts.mla.elements * settings.key_bytes))
        yield LayerCache(kind="M", layers=count, token_bytes=latent)
        if facts.mla.indexer and rules.indexer_bytes:
            yield LayerCache(kind="M", layers=count, token_bytes=rules.indexer_bytes)
    else:
        attention = facts.attention if kind == "F" else facts.sliding
        if attention is not None:
            own = max(1, heads // settings.tensor_parallel)
            value_dim = attention.elements - attention.head_dim
            size = own * (attention.head_dim * settings.key_bytes + value_dim * settings.value_bytes)
            is_whole = kind in settings.whole_windows and len(set(facts.pattern) - {"N"}) > 1
            window = None if is_whole else attention.window
            yield LayerCache(
                kind="F" if is_whole else _kind(kind), layers=count, token_bytes=round(size), window=window
            )


def _kind(letter: str) -> LayerKind:
    kinds: dict[str, LayerKind] = {"S": "S", "C": "C", "X": "X"}
    return kinds.get(letter, "F")


def state_bytes(linear: Linear, settings: Settings) -> int:
    """Return the bytes of a state of one layer on one GPU: the matrix, and the last values of the convolution."""
    element = settings.state_bytes or linear.state_bytes
    matrix = linear.v_heads // settings.tensor_parallel * linear.v_dim * linear.k_dim * element
    columns = (2 * linear.k_heads * linear.k_dim + linear.v_heads * linear.v_dim) // settings.tensor_parallel
    return matrix + columns * (linear.kernel - 1 + settings.speculative_tokens) * 2
