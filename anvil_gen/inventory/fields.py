"""The values of an inventory's keys: their forms, units, descriptions and examples."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from anvil_gen.values import Number

NAME_LENGTH = 63
"""Characters of a name that becomes a host name."""

# Units of a text that says its unit itself.
TIME = "ms, s, m or h, as written"
SIZE = "k, m or g, as written"

VARIABLE = "x-variable"
"""Key of what a type may be: a variable, of one of these kinds. Without it, a value is written out."""
COMPOSE = "x-compose"
"""Key of what is a key of Compose, and not one of ours."""
NEEDS_DEFAULT = "default"  # its value is reckoned with when files are rendered
PASSED_ON = "free"  # only Compose and the container read it

# A pattern ends in `$(?!\n)`, since Python's `$` alone also matches before a last line break.
PROJECT_PATTERN = r"^[a-z0-9][a-z0-9_-]*$(?!\n)"
SERVICE_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$(?!\n)"
CONTAINER_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$(?!\n)"
# A tier's name is a file's name too, also on file systems that fold case or reserve device names.
NAME_PATTERN = r"^(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$(?!\n)"
ENV_PATTERN = r"^(?!x-)[^=\x00]+$"  # what starts with x- is an extension for Compose, and dropped
ALIAS_PATTERN = r"^[^\x00-\x20\x7f]+$(?!\n)"
REPO_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)*(?::[A-Za-z0-9._-]+)?$(?!\n)"
UUID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9./-]*$(?!\n)"  # what the vendor's data says more exactly
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
FLAG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)"
SIZE_PATTERN = r"^[0-9]+(?:\.[0-9]+)?[kKmMgG]?[bB]?$(?!\n)"
DURATION_PATTERN = r"^(?:[0-9]+(?:ms|us|s|m|h))+$(?!\n)"
MEMORY_PATTERN = r"^[0-9]+(?:\.[0-9]+)?(?:MiB|GiB)$(?!\n)"
_PORT_RANGE = "[0-9]{1,5}(?:-[0-9]{1,5})?"
PORT_PATTERN = rf"^(?:(?:[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?:{_PORT_RANGE}?:)?{_PORT_RANGE}(?:/(?:tcp|udp))?$(?!\n)"
RESTART_PATTERN = r"^(?:no|always|unless-stopped|on-failure(?::[0-9]+)?)$(?!\n)"


def text(
    description: str,
    pattern: str | None = None,
    longest: int | None = None,
    *,
    unit: str = "",
    variable: str = "",
    **extra: Any,
) -> Any:
    """Return what is known of a text that is not empty; ``extra`` goes into the JSON Schema, ``unit`` as `x-unit`."""
    more = {**extra, **({"x-unit": unit} if unit else {}), **({VARIABLE: variable} if variable else {})}
    return Meta(
        description=description, pattern=pattern, min_length=1, max_length=longest, extra_json_schema=more or None
    )


ProjectName = Annotated[
    str,
    text(
        "Compose project name: lower-case letters, digits, `-` and `_`.",
        PROJECT_PATTERN,
        NAME_LENGTH,
        examples=["my-box"],
    ),
]
HostName = Annotated[
    str,
    text(
        "The host's name, else the file's without `.toml`: lower-case letters, digits, `-` and `_`.",
        PROJECT_PATTERN,
        NAME_LENGTH,
        examples=["my-box"],
    ),
]
ServiceName = Annotated[
    str,
    text(
        "Compose service name, its host name on the project's network too: letters, digits, `_`, `.`, `-`.",
        SERVICE_PATTERN,
        NAME_LENGTH,
        examples=["fast"],
    ),
]
ContainerName = Annotated[
    Annotated[str, text("At least two of letters, digits, `_`, `.`, `-`.", CONTAINER_PATTERN, 255)] | Literal[False],
    Meta(
        description="Container name: at least two of letters, digits, `_`, `.`, `-`; `false` leaves it to Compose.",
        extra_json_schema={VARIABLE: NEEDS_DEFAULT},
        examples=["fast"],
    ),
]
VolumeName = Annotated[
    str,
    text(
        "Name of the external Docker volume, or a key of `[volumes]`, which then says what it is: at least two of "
        "letters, digits, `_`, `.`, `-`.",
        CONTAINER_PATTERN,
        255,
        examples=["hfcache"],
    ),
]
ImageName = Annotated[
    str,
    text(
        "Container image with its tag or digest.",
        r"^[^\s\x00@]+(@[a-z0-9]+:[0-9a-f]+)?$(?!\n)",
        examples=["vllm/vllm-openai:v0.11.0"],
        variable=PASSED_ON,
    ),
]
PortNumber = Annotated[
    int,
    Meta(
        description="TCP port on the host, and in the container unless `container_port` says otherwise.",
        ge=1,
        le=65535,
        examples=[8000],
        extra_json_schema={VARIABLE: NEEDS_DEFAULT},
    ),
]
ContainerPort = Annotated[
    int, Meta(description="TCP port in the container, where it is not `port`.", ge=1, le=65535, examples=[8000])
]
Bind = Annotated[
    str | Literal[False],
    Meta(
        description='Host address on which the port is published: `"all"` for every address of IPv4 and IPv6, an IP '
        "address, or `false` to publish nothing.",
        extra_json_schema={VARIABLE: NEEDS_DEFAULT},
        examples=["127.0.0.1", "0.0.0.0", "all"],  # noqa: S104  an example of the format
    ),
]
Fraction = Annotated[
    Number,
    Meta(
        description="Share of each GPU's memory that the engine may take, as it counts that: above 0 and at most 1.",
        extra_json_schema={
            VARIABLE: NEEDS_DEFAULT,
            "exclusiveMinimum": 0,
            "maximum": 1,
            "x-unit": "fraction of a GPU",
            "examples": [0.9],
        },
    ),
]
Memory = Annotated[
    str,
    text(
        "Memory of each GPU that the engine may take, instead of `gpu_memory_utilization`.",
        MEMORY_PATTERN,
        unit="MiB or GiB, as written",
        examples=["20GiB"],
    ),
]
Restart = Annotated[
    Annotated[str, text("A restart policy of Compose.", RESTART_PATTERN)] | Literal[False],
    Meta(
        description="Compose restart policy: no, always, unless-stopped, on-failure[:attempts]; `false` leaves it out.",
        extra_json_schema={VARIABLE: PASSED_ON},
        examples=["unless-stopped"],
    ),
]
Duration = Annotated[
    str, text("A duration, as Compose spells it.", DURATION_PATTERN, unit=TIME, examples=["10s"], variable=PASSED_ON)
]
ContainerPath = Annotated[str, text("An absolute path in the container.", r"^/[^\x00]+$", examples=["/x/y"])]
LocalPath = Annotated[str, text("A path.", examples=["files/x"])]
MountSource = Annotated[
    str,
    text(
        "A folder or file of the host: a POSIX, Windows or UNC path; a relative one is below this file's folder, and "
        "`~/` is the home of who runs Compose.",
        examples=["/srv/videos", "C:/Users/me/videos", "prompts", "~/videos"],
        variable=PASSED_ON,
    ),
]
VolumeKey = Annotated[
    str,
    text("A volume: a key of `[volumes]`, or one of the project's own.", SERVICE_PATTERN, examples=["cache"]),
]
NetworkKey = Annotated[
    str,
    text("A network: a key of `[networks]`, or `default`.", SERVICE_PATTERN, examples=["edge"]),
]
SelinuxLabel = Annotated[
    Literal["z", "Z"],
    Meta(
        description="Label for SELinux, `bind.selinux`: `z` for files that several containers share, `Z` for those of "
        "one alone. Docker relabels them on the host.",
        examples=["z"],
    ),
]
GracePeriod = Annotated[
    Duration | Literal[False],
    Meta(
        description="How long Docker waits before it kills; `false` leaves it out.",
        examples=["1m"],
        extra_json_schema={"x-unit": TIME},
    ),
]
StartPeriod = Annotated[
    Duration | Literal[False],
    Meta(
        description="How long the health check may fail while the model loads; `false` leaves it out.",
        examples=["15m"],
        extra_json_schema={"x-unit": TIME},
    ),
]
Init = Annotated[
    bool,
    Meta(
        description="A first process in the container that passes signals on and collects what its children leave.",
        examples=[False],
    ),
]
LogSize = Annotated[
    str,
    text(
        "Size at which a log file is rotated.", r"^[0-9]+[kmg]$(?!\n)", unit=SIZE, examples=["50m"], variable=PASSED_ON
    ),
]
LogFiles = Annotated[
    int,
    Meta(
        description="Log files that are kept.",
        ge=1,
        extra_json_schema={VARIABLE: NEEDS_DEFAULT, "x-unit": "files"},
        examples=[3],
    ),
]
Argument = Annotated[str, Meta(extra_json_schema={VARIABLE: PASSED_ON})]
"""A word of a command, of any form."""
EnvironmentValue = Annotated[str | int, Meta(extra_json_schema={VARIABLE: PASSED_ON})]
EnvironmentSetting = Annotated[EnvironmentValue | Literal[False], Meta(extra_json_schema={VARIABLE: PASSED_ON})]
EnvironmentName = Annotated[
    str,
    # A YAML reader takes keys of up to 1024 characters, escapes included.
    Meta(
        description="An environment name holds no `=`, does not start with `x-`, and has at most 100 characters.",
        pattern=ENV_PATTERN,
        max_length=100,
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
ModeName = Annotated[
    str,
    Meta(
        description="A mode's name is part of a file's name: lower-case letters, digits, `-`, `_`, `.`, at most 63, "
        "and no device of Windows (`con`, `aux`).",
        pattern=NAME_PATTERN,
        max_length=NAME_LENGTH,
        examples=["coding"],
    ),
]
GpuKey = Annotated[
    str,
    Meta(description="A GPU's name: letters, digits, `_`, `.`, `-`.", pattern=SERVICE_PATTERN, examples=["rtx5090"]),
]
Flags = Annotated[
    dict[FlagName, Any],
    Meta(
        description="Flags that are passed to the engine as they are, named without the leading dashes: `true` is a "
        "bare flag, `false` removes a default, a list is several values, a table is JSON.",
        examples=[{"enable-metrics": True}],
    ),
]
FlagCheck = Annotated[
    bool,
    Meta(
        description="Whether `flags` are checked against those of the engine's version, where that is known.",
        examples=[False],
    ),
]
GpuName = Annotated[str, text("A GPU's name, a key of `[gpus]`.", examples=["rtx5090"])]
EngineName = Annotated[str, text("Inference engine: a folder of `templates/engines/`.", SERVICE_PATTERN, NAME_LENGTH)]
ContextLength = Annotated[
    int,
    Meta(
        description="Longest request: prompt and answer together.",
        ge=1,
        extra_json_schema={VARIABLE: NEEDS_DEFAULT, "x-unit": "tokens"},
        examples=[65536],
    ),
]
CacheType = Annotated[
    str,
    text(
        "Type of the KV cache, in the engine's own terms.", r"^[^\s\x00]+$(?!\n)", examples=["fp8"], variable=PASSED_ON
    ),
]
SharedMemory = Annotated[
    Annotated[str, text("Size of /dev/shm, as Compose spells it.", SIZE_PATTERN)] | Literal[False],
    Meta(
        description="Size of /dev/shm, as Compose spells it; `false` leaves it to Docker.",
        examples=["16g"],
        extra_json_schema={VARIABLE: PASSED_ON, "x-unit": SIZE},
    ),
]
IpcMode = Annotated[
    Annotated[
        str,
        text(
            "IPC namespace; with `host`, shared memory has no limit.",
            r"^(?:host|private|shareable|none|service:[a-zA-Z0-9._-]+)$(?!\n)",
        ),
    ]
    | Literal[False],
    Meta(
        description="IPC namespace; with `host`, shared memory has no limit. `false` leaves it to Docker.",
        examples=["host"],
        extra_json_schema={VARIABLE: PASSED_ON},
    ),
]
ComputeCapability = Annotated[str, text("CUDA compute capability.", r"^[0-9]{1,2}\.[0-9]$(?!\n)", examples=["12.0"])]
Uuid = Annotated[
    str,
    text(
        "The GPU's UUID, as its vendor's tool prints it: `nvidia-smi -L`, `rocminfo`; for Intel its number.",
        UUID_PATTERN,
        examples=["GPU-d0f446cf-1771-414c-e116-a39138798a8c"],
        variable=NEEDS_DEFAULT,
    ),
]
Replicas = Annotated[
    int,
    Meta(
        description="Servers of the tier, all alike, which the router balances: the first has the tier's name, port "
        "and container, and the next ones count on (`fast-2`, the next port). `gpus` are dealt out in equal parts, in "
        "order: append some for a further server.",
        ge=1,
        le=64,
        examples=[2],
        extra_json_schema={"x-unit": "servers"},
    ),
]
Sequences = Annotated[
    int,
    Meta(
        description="Requests that run at once.",
        ge=1,
        examples=[16],
        extra_json_schema={VARIABLE: NEEDS_DEFAULT, "x-unit": "requests"},
    ),
]
ModelsFolder = Annotated[
    str,
    text(
        "Folder that holds the model folders: a POSIX, Windows or UNC path; a relative one is below this file's "
        "folder, and `~/` is the home of who runs Compose.",
        examples=["/srv/models", "C:/Users/me/models"],
        variable=NEEDS_DEFAULT,
    ),
]
GpuMemory = Annotated[
    int, Meta(description="Memory of the GPU in MiB.", ge=1, examples=[32607], extra_json_schema={"x-unit": "MiB"})
]
Platform = Annotated[
    Literal["linux", "wsl2"],
    Meta(
        description="`wsl2` is Docker on Windows through WSL2: engines and GPU pins have quirks there.",
        examples=["wsl2"],
    ),
]
Architecture = Annotated[
    Literal["amd64", "arm64"],
    Meta(
        description="Processor of the host, as images name it: `arm64` for a DGX Spark, a Grace or a Jetson.",
        examples=["arm64"],
    ),
]
Egress = Annotated[
    Literal["allow", "deny"],
    Meta(
        description="Whether tiers reach anything but the router: with `deny` they are on an internal network, nothing "
        "of them is published, and weights have to be on the host already.",
        examples=["deny"],
    ),
]
Task = Annotated[
    Literal["chat", "embedding", "rerank", "transcription", "speech"],
    Meta(description="What the model does.", examples=["embedding"]),
]
