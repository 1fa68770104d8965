"""The inventory's format: one definition of keys, types, units and descriptions.

The JSON Schema is generated from these structs (`anvil_gen.schema`); defaults stand in ``templates/defaults.toml``.
Every key is optional here, so that one missing key does not hide the other faults; what must be there is checked by
`anvil_gen.checks`, and named in ``REQUIRED`` for the schema.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from anvil_gen.model import Number

SCHEMA = 1
"""The newest inventory format that this version reads."""

REQUIRED = {"Inventory": ("schema", "tiers"), "GpuTable": ("uuid",), "TierTable": ()}
"""Keys that must be there, by struct."""

NAME_LENGTH = 63
"""Characters of a name that becomes a host name."""

# A pattern ends in `$(?!\n)`, since Python's `$` alone also matches before a last line break.
PROJECT_PATTERN = r"^[a-z0-9][a-z0-9_-]*$(?!\n)"
SERVICE_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$(?!\n)"
CONTAINER_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$(?!\n)"
# A tier's name is a file's name too, also on file systems that fold case or reserve device names.
NAME_PATTERN = r"^(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$(?!\n)"
ENV_PATTERN = r"^[^=\x00]+$"
ALIAS_PATTERN = r"^[^\x00-\x20\x7f]+$(?!\n)"
UUID_PATTERN = (
    r"^(?:GPU-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|MIG-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|MIG-GPU-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/[0-9]+/[0-9]+)$(?!\n)"
)
FLAG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)"
SIZE_PATTERN = r"^[0-9]+(?:\.[0-9]+)?[kKmMgG]?[bB]?$(?!\n)"
DURATION_PATTERN = r"^(?:[0-9]+(?:ms|us|s|m|h))+$(?!\n)"
MEMORY_PATTERN = r"^[0-9]+(?:\.[0-9]+)?(?:MiB|GiB)$(?!\n)"
RESTART_PATTERN = r"^(?:no|always|unless-stopped|on-failure(?::[0-9]+)?)$(?!\n)"


def _text(description: str, pattern: str | None = None, longest: int | None = None, **extra: Any) -> Any:
    return Meta(
        description=description, pattern=pattern, min_length=1, max_length=longest, extra_json_schema=extra or None
    )


ProjectName = Annotated[
    str,
    _text(
        "Compose project name: lower-case letters, digits, `-` and `_`.",
        PROJECT_PATTERN,
        NAME_LENGTH,
        examples=["my-box"],
    ),
]
HostName = Annotated[
    str,
    _text(
        "The machine's name, else the file's without `.toml`: lower-case letters, digits, `-` and `_`.",
        PROJECT_PATTERN,
        NAME_LENGTH,
        examples=["my-box"],
    ),
]
ServiceName = Annotated[
    str,
    _text(
        "Compose service name, its host name on the project's network too: letters, digits, `_`, `.`, `-`.",
        SERVICE_PATTERN,
        NAME_LENGTH,
        examples=["fast"],
    ),
]
ContainerName = Annotated[
    str,
    _text("Container name: at least two of letters, digits, `_`, `.`, `-`.", CONTAINER_PATTERN, 255, examples=["fast"]),
]
VolumeName = Annotated[
    str,
    _text(
        "Name of the external Docker volume: at least two of letters, digits, `_`, `.`, `-`.",
        CONTAINER_PATTERN,
        255,
        examples=["hfcache"],
    ),
]
Image = Annotated[
    str, _text("Container image with its tag or digest.", r"^[^\s\x00]+$(?!\n)", examples=["vllm/vllm-openai:v0.11.0"])
]
PortNumber = Annotated[
    int, Meta(description="TCP port, in the container and on the host alike.", ge=1, le=65535, examples=[8000])
]
Bind = Annotated[
    str | Literal[False],
    Meta(
        description="Host address on which the port is published: an IP address, or `false` to publish nothing.",
        examples=["127.0.0.1", "0.0.0.0"],  # noqa: S104  an example of the format
    ),
]
Fraction = Annotated[
    Number,
    Meta(
        description="Share of each card's memory that the engine may take, above 0 and at most 1.",
        extra_json_schema={"exclusiveMinimum": 0, "maximum": 1, "x-unit": "fraction of a card", "examples": [0.9]},
    ),
]
Memory = Annotated[
    str,
    _text(
        "Memory of each card that the engine may take, instead of `gpu_memory_utilization`.",
        MEMORY_PATTERN,
        examples=["20GiB"],
    ),
]
Restart = Annotated[
    str, _text("Compose restart policy: no, always, unless-stopped, on-failure[:attempts].", RESTART_PATTERN)
]
GracePeriod = Annotated[str, _text("How long Docker waits before it kills.", DURATION_PATTERN, examples=["1m"])]
StartPeriod = Annotated[
    str, _text("How long the health check may fail while the model loads.", DURATION_PATTERN, examples=["15m"])
]
LogSize = Annotated[str, _text("Size at which a log file is rotated.", r"^[0-9]+[kmg]$(?!\n)", examples=["50m"])]
LogFiles = Annotated[int, Meta(description="Log files that are kept.", ge=1)]
EnvironmentName = Annotated[
    str,
    # A YAML reader takes keys of up to 1024 characters, escapes included.
    Meta(
        description="An environment name holds no `=`, and at most 100 characters.", pattern=ENV_PATTERN, max_length=100
    ),
]
FlagName = Annotated[
    str,
    Meta(description="A flag is named without its leading dashes.", pattern=FLAG_PATTERN, examples=["enable-metrics"]),
]
ModelName = Annotated[str, Meta(description="A model name holds no white space.", pattern=ALIAS_PATTERN)]
TierName = Annotated[
    str,
    Meta(
        description="A tier's name is a file's name too: lower-case letters, digits, `-`, `_`, `.`, at most 63, "
        "and no device of Windows (`con`, `aux`).",
        pattern=NAME_PATTERN,
        max_length=NAME_LENGTH,
        examples=["fast"],
    ),
]
CardName = Annotated[
    str, Meta(description="Letters, digits, `_`, `.`, `-`.", pattern=SERVICE_PATTERN, examples=["rtx5090"])
]
Environment = Annotated[
    dict[EnvironmentName, str | int], Meta(description="Environment of the container. Every `$` is literal.")
]
Flags = Annotated[
    dict[FlagName, Any],
    Meta(
        description="Flags that are passed to the engine as they are, named without the leading dashes: `true` is a "
        "bare flag, `false` removes a default, a list is several values, a table is JSON."
    ),
]
GpuName = Annotated[str, _text("A card's name, a key of `[gpus]`.", examples=["rtx5090"])]
EngineName = Annotated[str, _text("Inference engine: a folder of `templates/engines/`.", SERVICE_PATTERN, NAME_LENGTH)]
ContextLength = Annotated[
    int,
    Meta(
        description="Longest request: prompt and answer together.",
        ge=1,
        extra_json_schema={"x-unit": "tokens"},
        examples=[65536],
    ),
]
CacheType = Annotated[
    str, _text("Type of the KV cache, in the engine's own terms.", r"^[^\s\x00]+$(?!\n)", examples=["fp8"])
]
SharedMemory = Annotated[str, _text("Size of /dev/shm, as Compose spells it.", SIZE_PATTERN, examples=["16g"])]
IpcMode = Annotated[
    str,
    _text(
        "IPC namespace; with `host`, shared memory has no limit.",
        r"^(?:host|private|shareable|none|service:[a-zA-Z0-9._-]+)$(?!\n)",
    ),
]
KeyName = Annotated[
    str,
    _text(
        "Name of the environment variable that holds the key which clients must send. Never the key itself.",
        r"^[A-Z][A-Z0-9_]*$(?!\n)",
        examples=["ROUTER_TOKEN"],
    ),
]
Aliases = Annotated[
    dict[ModelName, str],
    Meta(description="Further model names, each with the tier that answers.", examples=[{"coder": "heavy"}]),
]
ComputeCapability = Annotated[str, _text("CUDA compute capability.", r"^[0-9]{1,2}\.[0-9]$(?!\n)", examples=["12.0"])]
Uuid = Annotated[
    str,
    _text(
        "The card's UUID, as `nvidia-smi -L` prints it; `GPU-…`, or `MIG-…` for a slice.",
        UUID_PATTERN,
        examples=["GPU-d0f446cf-1771-414c-e116-a39138798a8c"],
    ),
]
Sequences = Annotated[int, Meta(description="Requests that run at once.", ge=1, examples=[16])]
ModelsFolder = Annotated[
    str,
    _text(
        "Folder that holds the model folders: a POSIX, Windows or UNC path.",
        examples=["/srv/models", "C:/Users/me/models"],
    ),
]
CardMemory = Annotated[
    int, Meta(description="Memory of the card in MiB.", ge=1, examples=[32607], extra_json_schema={"x-unit": "MiB"})
]
Platform = Annotated[
    Literal["linux", "wsl2"],
    Meta(description="`wsl2` is Docker on Windows through WSL2: engines and GPU pins have quirks there."),
]
Task = Annotated[
    Literal["chat", "embedding", "rerank", "transcription", "speech"], Meta(description="What the model does.")
]


class Table(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A TOML table with a closed set of keys."""


class HostTable(Table, frozen=True, kw_only=True):
    """The machine."""

    name: HostName | UnsetType = UNSET
    project: ProjectName | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
    output: (
        Annotated[str, _text("Folder of the rendered tree, relative to this file's folder.", examples=["../deploy/x"])]
        | UnsetType
    ) = UNSET


class PathsTable(Table, frozen=True, kw_only=True):
    """Where things lie on the machine."""

    models: ModelsFolder | UnsetType = UNSET


class HfCacheTable(Table, frozen=True, kw_only=True):
    """The Hugging Face cache that all engines share. It is external: nothing here ever removes it."""

    volume: VolumeName | UnsetType = UNSET


class GpuTable(Table, frozen=True, kw_only=True):
    """One card."""

    uuid: Uuid | UnsetType = UNSET
    vendor: Annotated[str, _text("A folder of `templates/gpus/`.", SERVICE_PATTERN, NAME_LENGTH)] | UnsetType = UNSET
    memory_mib: CardMemory | UnsetType = UNSET
    reserve_mib: (
        Annotated[
            int,
            Meta(
                description="Memory that is kept free of tiers: a desktop, a driver.",
                ge=0,
                extra_json_schema={"x-unit": "MiB"},
            ),
        ]
        | UnsetType
    ) = UNSET
    compute_capability: ComputeCapability | UnsetType = UNSET


class ModelTable(Table, frozen=True, kw_only=True):
    """The weights: exactly one of `path`, `repo` and `file`."""

    path: (
        Annotated[str, _text("Model folder inside `paths.models`, or an absolute path.", examples=["qwen35-awq"])]
        | UnsetType
    ) = UNSET
    repo: (
        Annotated[
            str,
            _text(
                "Repository on the Hugging Face hub.",
                r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)?$(?!\n)",
                examples=["openai/gpt-oss-20b"],
            ),
        ]
        | UnsetType
    ) = UNSET
    file: (
        Annotated[str, _text("Model file inside `paths.models`, or an absolute path.", examples=["model.gguf"])]
        | UnsetType
    ) = UNSET
    revision: (
        Annotated[str, _text("Commit, tag or branch of `repo`.", r"^[A-Za-z0-9][A-Za-z0-9._/-]*$(?!\n)")] | UnsetType
    ) = UNSET


class ServeTable(Table, frozen=True, kw_only=True):
    """What a tier and the experiment slot have in common."""

    engine: EngineName | UnsetType = UNSET
    image: Image | UnsetType = UNSET
    port: PortNumber | UnsetType = UNSET
    bind: Bind | UnsetType = UNSET
    context_length: ContextLength | UnsetType = UNSET
    gpu_memory_utilization: Fraction | UnsetType = UNSET
    gpu_memory: Memory | UnsetType = UNSET
    max_sequences: Sequences | UnsetType = UNSET
    kv_cache_dtype: CacheType | UnsetType = UNSET
    shm_size: SharedMemory | UnsetType = UNSET
    ipc: IpcMode | UnsetType = UNSET
    restart: Restart | UnsetType = UNSET
    stop_grace_period: GracePeriod | UnsetType = UNSET
    start_period: StartPeriod | UnsetType = UNSET
    log_max_size: LogSize | UnsetType = UNSET
    log_max_files: LogFiles | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    flags: Flags | UnsetType = UNSET


class TierTable(ServeTable, frozen=True, kw_only=True):
    """One model serve."""

    service: ServiceName | UnsetType = UNSET
    container_name: ContainerName | UnsetType = UNSET
    served_name: (
        Annotated[str, _text("Model name that the engine answers to.", ALIAS_PATTERN, examples=["gpt-oss-20b"])]
        | UnsetType
    ) = UNSET
    gpus: (
        Annotated[list[GpuName], Meta(description="Cards that the tier holds; several are one tensor-parallel group.")]
        | UnsetType
    ) = UNSET
    task: Task | UnsetType = UNSET
    model: Annotated[ModelTable, Meta(description="The weights.")] | UnsetType = UNSET


class RouterTable(Table, frozen=True, kw_only=True):
    """The front door: one OpenAI-compatible endpoint for all tiers, a service of the same project."""

    engine: (
        Annotated[str, _text("Router: a folder of `templates/routers/`.", SERVICE_PATTERN, NAME_LENGTH)] | UnsetType
    ) = UNSET
    image: Image | UnsetType = UNSET
    service: ServiceName | UnsetType = UNSET
    container_name: ContainerName | UnsetType = UNSET
    port: PortNumber | UnsetType = UNSET
    bind: Bind | UnsetType = UNSET
    api_key_env: KeyName | UnsetType = UNSET
    aliases: Aliases | UnsetType = UNSET
    restart: Restart | UnsetType = UNSET
    stop_grace_period: GracePeriod | UnsetType = UNSET
    log_max_size: LogSize | UnsetType = UNSET
    log_max_files: LogFiles | UnsetType = UNSET


class ExperimentTable(ServeTable, frozen=True, kw_only=True):
    """The one-off slot: a compose project of its own, driven by MODEL, SERVED_NAME, PORT, GPU_UUID, EXTRA_ARGS."""

    project: ProjectName | UnsetType = UNSET
    container_name: (
        Annotated[
            str,
            _text(
                "Container name; `{port}` stands for the slot's port.",
                r"^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]|\{port\})+$(?!\n)",
                255,
                examples=["try-{port}"],
            ),
        ]
        | UnsetType
    ) = UNSET
    served_name: (
        Annotated[str, _text("Model name that the engine answers to, unless SERVED_NAME is set.", SERVICE_PATTERN)]
        | UnsetType
    ) = UNSET
    gpu: GpuName | UnsetType = UNSET


class Inventory(Table, frozen=True, kw_only=True):
    """One machine and what it serves."""

    schema: (
        Annotated[int, Meta(description="Version of this format.", ge=SCHEMA, le=SCHEMA, examples=[SCHEMA])] | UnsetType
    ) = UNSET
    host: HostTable = HostTable()
    paths: PathsTable = PathsTable()
    hfcache: HfCacheTable = HfCacheTable()
    gpus: Annotated[dict[CardName, GpuTable], Meta(description="The cards, by names of yours.")] = {}
    tiers: Annotated[
        dict[TierName, TierTable],
        Meta(description="The model serves, by names of yours: lower-case letters, digits, `-`, `_`, `.`."),
    ] = {}
    router: RouterTable | UnsetType = UNSET
    experiment: ExperimentTable | UnsetType = UNSET
