"""How an engine is told to run a model, as far as memory depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Step
from anvil_gen.fit.model_facts import ModelFacts

GIB = 1 << 30
_STATES = {"float32": 4, "float16": 2, "bfloat16": 2}
_SIZES = {"float32": 4.0, "f32": 4.0, "float64": 8.0}


class Draft(Struct, frozen=True, kw_only=True):
    """What is asked for a draft model in slots: None is left to the engine."""

    kv_dtype: str | None = None
    kv_dtype_v: str | None = None
    n_gpu_layers: int | None = None


class Request(Struct, frozen=True, kw_only=True):
    """What is asked for: None is left to the engine."""

    fraction: float | None = None
    context: int | None = None
    max_sequences: int | None = None
    max_batched_tokens: int | None = None
    kv_dtype: str | None = None
    kv_dtype_v: str | None = None  # where it is another than that of the keys
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    expert_parallel: int = 1
    prefix_caching: bool | None = None
    speculative_tokens: int = 0
    state_dtype: str | None = None
    block: int | None = None  # tokens
    parallel: int | None = None  # slots
    batch: int | None = None
    ubatch: int | None = None
    n_gpu_layers: int | None = None
    flash_attention: bool = True
    unified: bool | None = None
    full_window: bool = False
    language_only: bool = False
    picture_tokens: int | None = None  # of the largest picture
    draft: Draft = Draft()
    layout: str | None = None  # of the cache in memory


class Settings(Struct, frozen=True, kw_only=True):
    """What the engine makes of a request: every field has its value."""

    context: int
    max_sequences: int
    max_batched_tokens: int
    key_bytes: float  # of an element
    value_bytes: float
    kv_dtype: str
    tensor_parallel: int
    pipeline_parallel: int
    expert_parallel: int
    prefix_caching: bool
    speculative_tokens: int
    block: int
    state_bytes: int | None  # of an element; None for the model's own
    slots: int
    unified: bool
    ubatch: int
    n_gpu_layers: int | None
    flash_attention: bool
    whole_windows: str  # kinds of windows that are kept whole where other layers attend to all
    language_only: bool
    has_known_layout: bool


class UnknownTypeError(ValueError):
    """A type of cache that the engine is not known to have; the text lists those that it has."""


def settings_of(request: Request, facts: ModelFacts, rules: EngineMemory, gpu_gib: float) -> Settings:
    """Return what an engine makes of a request on GPUs of a size.

    Raises:
        UnknownTypeError: it has no cache of the type that is asked for.
    """
    kv_dtype = request.kv_dtype or _calibrated(facts, rules) or "auto"
    context = request.context or step_for(rules.context, gpu_gib) or facts.max_context or 0
    asked = request.parallel or request.max_sequences
    slots = asked or step_for(rules.max_sequences, gpu_gib) or 4
    ubatch = min(request.ubatch or rules.ubatch, request.batch or 2048, context or 2048)
    has_states = "L" in facts.pattern
    prefix = request.prefix_caching
    return Settings(
        context=context * slots if rules.contexts_per_sequence else context,
        max_sequences=request.max_sequences or step_for(rules.max_sequences, gpu_gib) or slots,
        max_batched_tokens=request.max_batched_tokens or step_for(rules.max_batched_tokens, gpu_gib) or ubatch,
        key_bytes=element_bytes(kv_dtype, facts, rules),
        value_bytes=element_bytes(request.kv_dtype_v or kv_dtype, facts, rules),
        kv_dtype=kv_dtype,
        tensor_parallel=request.tensor_parallel,
        pipeline_parallel=request.pipeline_parallel,
        expert_parallel=request.expert_parallel,
        prefix_caching=(rules.state_prefix_caching if has_states else True) if prefix is None else prefix,
        speculative_tokens=request.speculative_tokens,
        block=request.block or rules.block,
        state_bytes=_STATES.get(request.state_dtype or ""),
        slots=slots,
        unified=(asked is None and not rules.contexts_per_sequence) if request.unified is None else request.unified,
        ubatch=ubatch,
        n_gpu_layers=request.n_gpu_layers,
        flash_attention=request.flash_attention,
        whole_windows="SC" if request.full_window else rules.whole_windows,
        language_only=request.language_only,
        has_known_layout=request.layout is None or request.layout in rules.known_layouts,
    )


def _calibrated(facts: ModelFacts, rules: EngineMemory) -> str | None:
    """Return the type of the cache that a checkpoint was calibrated for, where an engine takes it unasked."""
    tool, _, dtype = (facts.quantization.cache if facts.quantization is not None else "").partition(":")
    return dtype if tool in rules.calibrated and dtype in rules.kv_dtypes else None


def step_for(steps: Sequence[Step], gpu_gib: float) -> int | None:
    """Return the value for GPUs of a size; None without steps."""
    return next((step.value for step in reversed(steps) if gpu_gib >= step.from_gib), None)


def element_bytes(dtype: str | None, facts: ModelFacts, rules: EngineMemory) -> float:
    """Return the bytes of an element of a cache of a type.

    Raises:
        UnknownTypeError: the engine is not known to have it.
    """
    name = (dtype or "auto").lower()
    if rules.cache == "none":
        return 0.0
    if name not in rules.kv_dtypes:
        raise UnknownTypeError(f'"{name}" is none of: {", ".join(sorted(rules.kv_dtypes))}')
    return rules.kv_dtypes[name] or (2.0 if rules.half_precision else _SIZES.get(facts.dtype, 2.0))
