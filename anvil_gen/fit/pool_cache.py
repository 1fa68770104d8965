"""A cache that is one pool of tokens, as SGLang has it."""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory
from anvil_gen.fit.layer_cache import layer_caches
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import Settings


class PoolCache(Struct, frozen=True, kw_only=True):
    """What a token takes over all layers, and a request besides."""

    cell: float
    state: int
    sequences: int
    page: int  # tokens

    @property
    def bytes_per_token(self) -> float:
        """What one more token takes."""
        return self.cell

    def need(self, context: int) -> int:
        """Return the bytes that a request of so many tokens takes."""
        return round(context * self.cell) + self.state

    def concurrency(self, memory: float, context: int) -> float:
        """Return how many requests of so many tokens the pool holds."""
        return self.tokens(memory, context) / context if context else 0.0

    def tokens(self, memory: float, _context: int) -> int:
        """Return the tokens that the pool holds, next to the states of all sequences."""
        left = memory - self.state * self.sequences
        return max(0, int(left // self.cell)) // self.page * self.page if self.cell else 0


def pool_cache(
    facts: ModelFacts, settings: Settings, rules: EngineMemory, draft: ModelFacts | None = None
) -> PoolCache:
    """Return what the tokens of a model, and of its draft, take on one GPU: a layer of either is counted alike."""
    caches = layer_caches(facts, settings, rules)
    layers = 1 + (len(draft.pattern) / len(facts.pattern) if draft is not None else 0)
    cell = sum(
        cache.layers * cache.token_bytes * (1.0 if cache.window is None else rules.sliding_share) for cache in caches
    )
    state = sum(cache.layers * cache.state_bytes for cache in caches)
    return PoolCache(
        cell=cell * layers, state=state, sequences=settings.max_sequences if state else 0, page=rules.block
    )
