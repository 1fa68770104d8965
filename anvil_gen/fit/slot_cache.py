"""A cache that is allocated for the whole context at the start, as llama.cpp has it.

The formulas are of src/llama-kv-cache.cpp, src/llama-memory-recurrent.cpp and of measured starts; see docs/memory.md.
"""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Interval
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import Settings

_DENSE = Interval(low=0.88, high=1.25)
_EXPERTS_ABOVE = 1.15


class SlotCache(Struct, frozen=True, kw_only=True):
    """The cache of a model for one or several slots; sizes in bytes, of all GPUs together."""

    facts: ModelFacts
    settings: Settings
    rules: EngineMemory

    @property
    def bytes_per_token(self) -> float:
        """What one more token of context takes."""
        return float(sum(self._token_bytes(at) for at, kind in enumerate(self.facts.pattern) if kind in "FM"))

    def cells(self, context: int) -> int:
        """Return the cells of one stream."""
        streams = 1 if self.settings.unified else self.settings.slots
        return self._padded(self._padded(context) // streams)

    def streams(self) -> int:
        """Return how many streams have cells of their own."""
        return 1 if self.settings.unified else self.settings.slots

    def layers(self, context: int) -> list[int]:
        """Return what each layer keeps."""
        return [self._layer(at, kind, context) for at, kind in enumerate(self.facts.pattern)]

    def need(self, context: int) -> int:
        """Return what all layers keep."""
        return sum(self.layers(context))

    def tokens(self, _memory: float, context: int) -> int:
        """Return the tokens of all slots together."""
        return self.cells(context) * self.streams()

    def concurrency(self, memory: float, context: int) -> float:
        """Return how many requests of the whole context it holds."""
        return self.tokens(memory, context) / context if context else 0.0

    def output(self) -> int:
        """Return the buffer of results: a number for each word of the vocabulary and slot."""
        return self.settings.slots * self.facts.vocabulary * 4

    def compute(self, context: int) -> Interval:
        """Return the buffer in which a batch is computed: masks, and the values of one layer."""
        ubatch, facts = min(self.settings.ubatch, context), self.facts
        cells = [self.cells(context)] if set("FM") & set(facts.pattern) else []
        cells += [self._window_cells(context)] if set("SC") & set(facts.pattern) else []
        masks = sum(cells) * ubatch * (2 if self.settings.flash_attention else 4)
        if not self.settings.flash_attention:
            masks += 4 * ubatch * max(cells, default=0) * facts.heads
        values = self._values()
        logits = 4 * min(self.settings.slots, ubatch) * facts.vocabulary
        return Interval(low=masks + 4 * ubatch * values.low, high=masks + 4 * ubatch * values.high + logits)

    def _values(self) -> Interval:
        """Return how many values of a token a layer holds at once."""
        facts, moe = self.facts, self.facts.moe
        attention = facts.attention or facts.sliding
        queries = facts.heads * attention.head_dim if attention is not None else 0
        dense = 3 * facts.intermediate + 3 * facts.hidden + max(facts.hidden, queries)
        if moe is None:
            return Interval(low=dense * _DENSE.low, high=dense * _DENSE.high)
        least = 2 * moe.used * facts.hidden
        most = 2 * moe.used * (facts.hidden + moe.intermediate) + 2 * facts.hidden + 2 * moe.experts
        return Interval(low=least, high=most * _EXPERTS_ABOVE)

    def _layer(self, at: int, kind: str, context: int) -> int:
        if kind == "L":
            return self._state()
        if kind == "N":
            return 0
        cells = self._window_cells(context) if kind in "SC" else self.cells(context)
        return round(cells * self.streams() * self._token_bytes(at))

    def _token_bytes(self, at: int) -> float:
        facts, kind = self.facts, self.facts.pattern[at]
        if kind == "M":
            return facts.mla.elements * self.settings.key_bytes if facts.mla is not None else 0.0
        attention = facts.sliding if kind in "SC" else facts.attention
        if attention is None:
            return 0.0
        heads = facts.kv_heads[at] if at < len(facts.kv_heads) else attention.kv_heads
        value_dim = attention.elements - attention.head_dim
        return heads * (attention.head_dim * self.settings.key_bytes + value_dim * self.settings.value_bytes)

    def _state(self) -> int:
        linear = self.facts.linear
        if linear is None:
            return 0
        inner = linear.v_heads * linear.v_dim
        convolution = max(linear.kernel - 1, 0) * (inner + 2 * linear.k_heads * linear.k_dim)
        return 4 * self.settings.slots * (convolution + linear.k_dim * inner)

    def _window_cells(self, context: int) -> int:
        sliding, cells = self.facts.sliding, self.cells(context)
        if sliding is None or sliding.window is None or self.settings.whole_windows:
            return cells
        sequences = self.settings.slots if self.settings.unified else 1
        return self._padded(min(cells, sliding.window * sequences + self.settings.ubatch))

    def _padded(self, tokens: int) -> int:
        multiple = self.rules.context_multiple
        return -(-tokens // multiple) * multiple


class Placement(Struct, frozen=True, kw_only=True):
    """What is on the GPUs and what in the host's memory, in bytes."""

    weights: int
    cache: int
    host_weights: int
    host_cache: int
    largest_layer: int


def place_layers(facts: ModelFacts, cache: SlotCache, context: int, on_gpu: int | None) -> Placement:
    """Return where weights and cache are with so many layers on the GPUs: the output first, then the last layers.

    The table of embeddings stays in the host's memory; where it is the output as well, the GPU has a copy.
    """
    sizes, count = _layer_sizes(facts), len(facts.pattern)
    kept = cache.layers(context)
    layers = count + 1 if on_gpu is None else min(on_gpu, count + 1)
    first = count - max(layers - 1, 0)
    output = (facts.bytes.output or facts.bytes.embeddings) if layers else 0
    rest = facts.bytes.language - facts.bytes.output - sum(sizes)
    return Placement(
        weights=sum(sizes[first:]) + output,
        cache=sum(kept[first:]),
        host_weights=sum(sizes[:first]) + rest + (0 if layers else facts.bytes.output),
        host_cache=sum(kept[:first]),
        largest_layer=max(map(sum, zip(sizes, kept, strict=True)), default=0),
    )


def _layer_sizes(facts: ModelFacts) -> list[int]:
    """Return what the weights of each layer take: the same for all where it is not known."""
    count = len(facts.pattern)
    if len(facts.bytes.layers) == count:
        return list(facts.bytes.layers)
    each = (facts.bytes.language - facts.bytes.embeddings - facts.bytes.output) // max(count, 1)
    return [each] * count
