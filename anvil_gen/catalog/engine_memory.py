"""How an engine divides a GPU's memory: `templates/engines/<name>/memory.toml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.catalog.template_tree import MEMORY_FILE
from anvil_gen.diagnostics import display_path
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath

Setting = Literal[
    "fraction",
    "context",
    "max_sequences",
    "max_batched_tokens",
    "kv_dtype",
    "kv_dtype_v",
    "prefix_caching",
    "no_prefix_caching",
    "block",
    "state_dtype",
    "speculative_tokens",
    "batch",
    "ubatch",
    "n_gpu_layers",
    "flash_attention",
    "unified",
    "full_window",
    "language_only",
    "layout",
    "picture_tokens",
    "draft_kv_dtype",
    "draft_kv_dtype_v",
    "draft_n_gpu_layers",
]


class Interval(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Two numbers between which one lies."""

    low: Annotated[float, Meta(description="No less than this.")]
    high: Annotated[float, Meta(description="No more than this.")]


class Step(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A value for GPUs from a size on."""

    from_gib: Annotated[float, Meta(description="Memory of the smallest GPU, in GiB.")] = 0.0
    value: Annotated[int, Meta(description="The value for these.")]


class Picture(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The tokens of the pictures that a kind of projector makes room for."""

    first: Annotated[int, Meta(description="Those at the start; 0 for pictures of one size.")] = 0
    most: Annotated[int, Meta(description="Those of the largest picture; 0 for pictures of one size.")] = 0
    merge: Annotated[int, Meta(description="Patches that a side of a token has, where its file does not say it.")] = 1


class Padding(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """To what multiples the sides of an expert's matrices are rounded up."""

    intermediate: Annotated[int, Meta(description="Multiple for an expert's own size.")]
    hidden: Annotated[int, Meta(description="Multiple for the model's size.")]


Fraction = Annotated[float, Meta(description="Its own default of the fraction; none where it derives it.")]
GroupRatio = Annotated[
    float,
    Meta(description="Kinds of layers whose numbers differ less than this share groups as large as the larger."),
]
Tokens = Annotated[
    Literal["groups", "requests"],
    Meta(description="What it reports as tokens: those of a group's blocks, or of as many whole requests as fit."),
]
Batches = Annotated[int, Meta(description="Batches whose tokens a sliding window has to hold.")]
StatePrefixes = Annotated[bool, Meta(description="It caches prefixes of models with states unasked.")]
WholeWindows = Annotated[
    str, Meta(description="Kinds of windows that it keeps whole in models that have other layers too: `S`, `C`.")
]
Calibrated = Annotated[
    tuple[str, ...], Meta(description="Tools whose checkpoints say the type of the cache, which it then takes unasked.")
]
IndexedTypes = Annotated[
    Mapping[str, str], Meta(description="Type of the cache -> the one that it stands for where tokens are picked.")
]
BatchedTokens = Annotated[tuple[Step, ...], Meta(description="Its default of a batch's tokens.")]
Sequences = Annotated[tuple[Step, ...], Meta(description="Its default of the number of sequences.")]


class Since(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is different from a version on. The changes are in the order of the versions."""

    version: Annotated[str, Meta(description="The first version.")]
    source: Annotated[str, Meta(description="Where it is known from.")]
    fraction: Fraction | None = None
    group_ratio: GroupRatio | None = None
    tokens: Tokens | None = None
    batches: Batches | None = None
    state_prefix_caching: StatePrefixes | None = None
    whole_windows: WholeWindows | None = None
    calibrated: Calibrated | None = None
    indexed_dtypes: IndexedTypes | None = None
    max_batched_tokens: BatchedTokens | None = None
    max_sequences: Sequences | None = None


class EngineMemory(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How an engine divides a GPU's memory."""

    cache: Annotated[
        Literal["blocks", "pool", "slots", "none"],
        Meta(
            description="How it caches: in `blocks` that layers of several kinds share, in a `pool` of tokens, in "
            "`slots` for the whole context, or not at all (`none`)."
        ),
    ]
    takes: Annotated[
        Literal["share", "need"],
        Meta(description="All of its `share` of the GPU, of which the rest becomes cache; or what it needs."),
    ] = "need"
    fraction: Fraction | None = None
    reserved_mib: (
        Annotated[Interval, Meta(description="What it leaves free where it derives the fraction from the GPU, in MiB.")]
        | None
    ) = None
    rest_gib: Annotated[
        float, Meta(description="What has to be left outside of the fraction, for activations and graphs.")
    ] = 0.0
    block: Annotated[int, Meta(description="Tokens of a block.")] = 16
    context_multiple: Annotated[int, Meta(description="The context is rounded up to a multiple of it.")] = 1
    group_ratio: GroupRatio = 0.0
    tokens: Tokens = "requests"
    batches: Batches = 1
    state_prefix_caching: StatePrefixes = False
    whole_windows: WholeWindows = ""
    calibrated: Calibrated = ()
    sliding_share: Annotated[float, Meta(description="Tokens of a window's pool for each of the whole pool.")] = 1.0
    state_ratio: Annotated[float, Meta(description="Memory of the states for each of the pool, at most.")] = 0.0
    context: Annotated[tuple[Step, ...], Meta(description="Its default of the context; none for the model's own.")] = ()
    contexts_per_sequence: Annotated[
        bool, Meta(description="The context is that of each sequence, and not of all together.")
    ] = False
    adapts: Annotated[
        str, Meta(description="What it does of itself where the context or the layers on the GPU are not set.")
    ] = ""
    max_sequences: Sequences = ()
    max_batched_tokens: BatchedTokens = ()
    ubatch: Annotated[int, Meta(description="Its default of the tokens that are computed at once.")] = 512
    kv_dtypes: Annotated[
        Mapping[str, float], Meta(description="Type of the cache -> bytes of an element; 0 for the type of the model.")
    ] = {}
    tried_dtypes: Annotated[
        tuple[str, ...], Meta(description="Types of the cache that are suggested, the most exact first.")
    ] = ()
    latent_dtypes: Annotated[
        Mapping[str, int], Meta(description="Type of the cache -> bytes of a token in a layer of latent attention.")
    ] = {}
    indexed_dtypes: IndexedTypes = {}
    known_layouts: Annotated[
        tuple[str, ...], Meta(description="Layouts of the cache in which its blocks are grouped as computed here.")
    ] = ()
    indexer_bytes: Annotated[int, Meta(description="Bytes of a token for what picks tokens of latent attention.")] = 0
    overhead_gib: Annotated[
        Interval, Meta(description="What a GPU needs besides weights and cache: the context, activations and graphs.")
    ] = Interval(low=0.0, high=0.0)
    rank_overhead_gib: Annotated[Interval, Meta(description="What is added where several GPUs share a model.")] = (
        Interval(low=0.0, high=0.0)
    )
    unified_gib: Annotated[
        Interval | None, Meta(description="Memory of GPUs that share it with the processor, in GiB.")
    ] = None
    unified_overhead_gib: Annotated[
        Interval, Meta(description="What is added on these: what the system takes counts as the engine's.")
    ] = Interval(low=0.0, high=0.0)
    batch_overhead: Annotated[
        Interval,
        Meta(
            description="Copies of a batch's hidden and intermediate values that it holds at once, where the batch is "
            "larger than usual."
        ),
    ] = Interval(low=0.0, high=0.0)
    vision_overhead_gib: Annotated[
        Interval, Meta(description="What the largest picture takes where the model has a vision tower.")
    ] = Interval(low=0.0, high=0.0)
    result_copies: Annotated[
        Interval,
        Meta(
            description="Copies of the results of all sequences, a number for each word of the vocabulary, where there "
            "are more sequences than usual."
        ),
    ] = Interval(low=0.0, high=0.0)
    weights: Annotated[
        Mapping[str, Interval],
        Meta(
            description="Method of quantisation, or type -> memory for each byte of the file; `other` for any other. "
            "Which parts it leaves out is counted before."
        ),
    ]
    padding: Annotated[
        Mapping[str, Padding], Meta(description="Method of quantisation -> to what its experts are padded.")
    ] = {}
    pictures: Annotated[
        Mapping[str, Picture],
        Meta(description="Kind of projector -> its pictures; of another kind only bounds are known."),
    ] = {}
    half_precision: Annotated[bool, Meta(description="Weights in single precision are loaded in half.")] = True
    settings: Annotated[
        Mapping[Setting, tuple[str, ...]],
        Meta(description="Setting -> flags and variables of a tier that set it, besides its fields."),
    ] = {}
    since: Annotated[tuple[Since, ...], Meta(description="What has changed, by version.")] = ()

    def of_version(self, version: str | None) -> EngineMemory:
        """Return what holds in a version; without one, in the newest."""
        changes: dict[str, Any] = {}
        for change in self.since:
            if version is None or version_key(version) >= version_key(change.version):
                set_here = {name: getattr(change, name) for name in _CHANGING if getattr(change, name) is not None}
                changes.update(set_here)
        return replace(self, **changes)


_CHANGING = tuple(name for name in Since.__struct_fields__ if name not in ("version", "source"))


def engine_memory(catalog: Catalog, engine: str) -> EngineMemory | None:
    """Return how an engine divides a GPU's memory; None where nothing is known of it.

    Raises:
        DiagnosticError: its data file has errors.
    """
    path = f"engines/{engine}/{MEMORY_FILE}"
    found = catalog.find(path)
    if found is None:
        return None
    shipped = found.is_relative_to(catalog.roots[-1])
    display = f"templates/{path}" if shipped else display_path(found)
    return decoded(Document(found, display=display), EngineMemory, _semantic_errors)


def _semantic_errors(data: EngineMemory) -> Iterator[tuple[KeyPath, str]]:
    """Yield versions that are out of order, and intervals that end before they begin."""
    versions = [version_key(change.version) for change in data.since]
    for number, (earlier, later) in enumerate(pairwise(versions)):
        if later < earlier:
            yield ("since", number + 1, "version"), "it is earlier than the one before"
    for name in (
        "overhead_gib",
        "rank_overhead_gib",
        "unified_gib",
        "unified_overhead_gib",
        "vision_overhead_gib",
        "batch_overhead",
        "result_copies",
        "reserved_mib",
    ):
        interval = getattr(data, name)
        if interval is not None and interval.low > interval.high:
            yield (name,), "it ends before it begins"
    for number, name in enumerate(data.tried_dtypes):
        if name not in data.kv_dtypes:
            yield ("tried_dtypes", number), f'"{name}" is none of kv_dtypes'
    if "other" not in data.weights:
        yield ("weights",), '"other" is missing'
