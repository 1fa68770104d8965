"""A cache that is one pool of tokens, as SGLang has it."""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Interval
from anvil_gen.fit.layer_cache import layer_caches
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import Settings


class PoolCache(Struct, frozen=True, kw_only=True):
    """What a token takes over all layers. States have a pool of their own, which is no part of it."""

    cell: float
    page: int  # tokens

    @property
    def bytes_per_token(self) -> float:
        """What one more token takes."""
        return self.cell

    def need(self, context: int) -> int:
        """Return the bytes that a request of so many tokens takes."""
        return round(context * self.cell)

    def concurrency(self, memory: float, context: int) -> float:
        """Return how many requests of so many tokens the pool holds."""
        return self.tokens(memory, context) / context if context else 0.0

    def tokens(self, memory: float, _context: int) -> int:
        """Return the tokens that the pool holds."""
        return max(0, int(memory // self.cell)) // self.page * self.page if self.cell else 0


def pool_cache(
    facts: ModelFacts, settings: Settings, rules: EngineMemory, draft: ModelFacts | None = None
) -> PoolCache:
    """Return what the tokens of a model take on one GPU, and those of its draft at most."""
    cell = _cell(facts, settings, rules)
    if draft is not None:
        cell += max(cell * len(draft.pattern) / len(facts.pattern), _cell(draft, settings, rules))
    return PoolCache(cell=cell, page=settings.block)


def _cell(facts: ModelFacts, settings: Settings, rules: EngineMemory) -> float:
    """Return what a token takes over all layers of a model."""
    caches = layer_caches(facts, settings, rules)
    return sum(
        cache.layers * cache.token_bytes * (1.0 if cache.window is None else rules.sliding_share) for cache in caches
    )


def pool_beside_states(left: Interval, facts: ModelFacts, settings: Settings, rules: EngineMemory) -> Interval:
    """Return what of the memory that is left becomes the pool of tokens, next to that of the states."""
    state = sum(cache.layers * cache.state_bytes for cache in layer_caches(facts, settings, rules))
    if not state or rules.cache != "pool":
        return left
    return Interval(low=left.low / (1 + rules.state_ratio), high=max(0.0, left.high - state))
