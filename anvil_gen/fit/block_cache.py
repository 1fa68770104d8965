"""A cache of blocks that layers of several kinds share, as vLLM has it.

Layers are cut into groups of equal size, and a block serves one group: so all groups draw from one pool, whatever their
layers keep.
"""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory
from anvil_gen.fit.layer_cache import LayerCache, all_caches
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import Settings


class Group(Struct, frozen=True, kw_only=True):
    """Layers of one kind that share their blocks."""

    cache: LayerCache
    block: int  # tokens

    def blocks(self, context: int, settings: Settings, rules: EngineMemory) -> int:
        """Return the blocks that a request of so many tokens takes."""
        if self.cache.kind == "L":
            return 1 + settings.speculative_tokens + settings.prefix_caching
        if self.cache.window is None:
            return _ceil(context, self.block)
        if self.cache.kind == "X":  # as much as the encoder may read at once
            return _ceil(max(self.cache.window, settings.max_batched_tokens), self.block)
        batch = settings.max_batched_tokens * rules.batches
        if self.cache.kind == "C":
            return _ceil(min(self.cache.window + batch, context), self.block)
        return _ceil(min(self.cache.window - 1 + batch, context), self.block) + 1


class BlockCache(Struct, frozen=True, kw_only=True):
    """The groups of a model, and what a block takes over all layers that use it."""

    groups: tuple[Group, ...]
    block_bytes: int
    settings: Settings
    rules: EngineMemory
    padded: bool = False  # pages of sizes that do not divide each other

    @property
    def bytes_per_token(self) -> float:
        """What one more token of a long context takes."""
        growing = [group for group in self.groups if group.cache.kind != "L" and group.cache.window is None]
        return sum(self.block_bytes / group.block for group in growing)

    def request_blocks(self, context: int) -> int:
        """Return the blocks that a request of so many tokens takes."""
        return sum(group.blocks(context, self.settings, self.rules) for group in self.groups)

    def need(self, context: int) -> int:
        """Return the bytes that a request of so many tokens takes."""
        return self.request_blocks(context) * self.block_bytes

    def concurrency(self, memory: float, context: int) -> float:
        """Return how many requests of so many tokens a cache holds."""
        needed = self.request_blocks(context)
        return self.blocks(memory) / needed if needed else 0.0

    def tokens(self, memory: float, context: int) -> int:
        """Return what the engine reports as tokens of a cache."""
        if self.rules.tokens == "requests" or not self.groups:
            return int(self.concurrency(memory, context) * context)
        return self.blocks(memory) // len(self.groups) * min(group.block for group in self.groups)

    @property
    def has_states(self) -> bool:
        """Whether some layers keep a state."""
        return any(group.cache.kind == "L" for group in self.groups)

    def blocks(self, memory: float) -> int:
        """Return the blocks of a cache."""
        return max(0, int(memory // self.block_bytes)) if self.block_bytes else 0


def block_cache(
    facts: ModelFacts, settings: Settings, rules: EngineMemory, draft: ModelFacts | None = None
) -> BlockCache:
    """Return how an engine lays the cache of a model, and of its draft, out on one GPU."""
    caches = all_caches(facts, draft, settings, rules)
    block = max(settings.block, _block_with_states(caches, rules.block))
    if all(cache.window is None and cache.state_bytes == 0 for cache in caches):
        pages = sum(cache.layers * cache.token_bytes * block for cache in caches)
        return BlockCache(
            groups=tuple(Group(cache=cache, block=block) for cache in caches[:1]),
            block_bytes=pages,
            settings=settings,
            rules=rules,
        )
    page = max(cache.token_bytes * block or cache.state_bytes for cache in caches)
    size = _group_size([cache.layers for cache in caches], rules.group_ratio)
    groups = [
        Group(cache=cache, block=_raised(block, cache.token_bytes, page))
        for cache in caches
        for _ in range(_ceil(cache.layers, size))
    ]
    padded = any(cache.token_bytes and page % (cache.token_bytes * block) for cache in caches)
    return BlockCache(groups=tuple(groups), block_bytes=page * size, settings=settings, rules=rules, padded=padded)


def _block_with_states(caches: list[LayerCache], block: int) -> int:
    """Return the tokens of a block: as many that a state is no larger than the block of an attention layer."""
    state = max((cache.state_bytes for cache in caches), default=0)
    token = max((cache.token_bytes for cache in caches), default=0)
    return block * max(1, _ceil(state, block * token)) if state and token else block


def _raised(block: int, token_bytes: int, page: int) -> int:
    """Return the tokens of a block whose layers keep less for each: more of them, to the same size."""
    own = token_bytes * block
    return block * (page // own) if own and page % own == 0 else block


def _group_size(counts: list[int], ratio: float) -> int:
    """Return how many layers a group has: the fewest of a kind, or the most where that is not much more."""
    return max(counts) if max(counts) < min(counts) * ratio else min(counts)


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
