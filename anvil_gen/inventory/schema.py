"""The inventory's format: one definition of keys, types, units and descriptions.

The JSON Schema is generated from these structs (`anvil_gen.inventory.json_schema`); defaults are in
``templates/defaults.toml``.
Every key is optional here, so that one missing key does not hide the other errors; what must be there is checked by
`anvil_gen.resolve.checks`, and named in ``REQUIRED`` for the schema.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Environment, Image, Table
from anvil_gen.inventory.schema_router import RouterTable

SCHEMA = 1
"""The newest inventory format that this version reads."""

REQUIRED = {"Inventory": ("schema", "tiers"), "GpuTable": ("uuid",), "TierTable": ()}
"""Keys that must be there, by struct."""

RENAMED = {("router", old): new for old, new in RouterTable.RENAMED.items()}
"""Keys of older versions -> what they are called now."""


class HostTable(Table, frozen=True, kw_only=True):
    """The host, and how its services are run."""

    name: t.HostName | UnsetType = UNSET
    project: t.ProjectName | UnsetType = UNSET
    platform: t.Platform | UnsetType = UNSET
    egress: t.Egress | UnsetType = UNSET
    docker_context: (
        Annotated[
            str,
            t.text(
                "Docker context that the operating verbs use, instead of the current one.",
                r"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$(?!\n)",
                examples=["box-over-ssh"],
            ),
        ]
        | UnsetType
    ) = UNSET
    output: (
        Annotated[str, t.text("Folder of the rendered tree, relative to this file's folder.", examples=["../deploy/x"])]
        | UnsetType
    ) = UNSET


class PathsTable(Table, frozen=True, kw_only=True):
    """Where things are on the host."""

    models: t.ModelsFolder | UnsetType = UNSET


class HfCacheTable(Table, frozen=True, kw_only=True):
    """The Hugging Face cache that all engines share. It is external: nothing here ever removes it."""

    volume: t.VolumeName | UnsetType = UNSET
    path: (
        Annotated[str, t.text("Folder of the host, instead of a volume.", examples=["/srv/huggingface"])] | UnsetType
    ) = UNSET
    token_env: (
        Annotated[
            str,
            t.text(
                "Variable with the token for gated models: passed on by name to what loads from the Hugging Face Hub.",
                t.VARIABLE_PATTERN,
                examples=["HF_TOKEN"],
            ),
        ]
        | UnsetType
    ) = UNSET


class GpuTable(Table, frozen=True, kw_only=True):
    """One GPU."""

    uuid: t.Uuid | UnsetType = UNSET
    vendor: Annotated[str, t.text("A folder of `templates/gpus/`.", t.SERVICE_PATTERN, t.NAME_LENGTH)] | UnsetType = (
        UNSET
    )
    memory_mib: t.GpuMemory | UnsetType = UNSET
    reserve_mib: (
        Annotated[
            int,
            Meta(
                description="Memory that is kept free of tiers: a desktop, a driver.",
                ge=0,
                examples=[1024],
                extra_json_schema={"x-unit": "MiB"},
            ),
        ]
        | UnsetType
    ) = UNSET
    compute_capability: t.ComputeCapability | UnsetType = UNSET


class ModelTable(Table, frozen=True, kw_only=True):
    """The weights: exactly one of `path`, `repo` and `file`."""

    path: (
        Annotated[str, t.text("Model folder inside `paths.models`, or an absolute path.", examples=["qwen35-awq"])]
        | UnsetType
    ) = UNSET
    repo: (
        Annotated[
            str,
            t.text(
                "Repository on the Hugging Face Hub, with a tag where the engine takes one.",
                t.REPO_PATTERN,
                examples=["openai/gpt-oss-20b"],
            ),
        ]
        | UnsetType
    ) = UNSET
    file: (
        Annotated[str, t.text("Model file inside `paths.models`, or an absolute path.", examples=["model.gguf"])]
        | UnsetType
    ) = UNSET
    revision: (
        Annotated[
            str, t.text("Commit, tag or branch of `repo`.", r"^[A-Za-z0-9][A-Za-z0-9._/-]*$(?!\n)", examples=["v1.0"])
        ]
        | UnsetType
    ) = UNSET


class ModelServerTable(Table, frozen=True, kw_only=True):
    """What a tier and the experiment slot have in common."""

    engine: t.EngineName | UnsetType = UNSET
    image: Image | UnsetType = UNSET
    port: t.PortNumber | UnsetType = UNSET
    bind: t.Bind | UnsetType = UNSET
    context_length: t.ContextLength | UnsetType = UNSET
    gpu_memory_utilization: t.Fraction | UnsetType = UNSET
    gpu_memory: t.Memory | UnsetType = UNSET
    max_sequences: t.Sequences | UnsetType = UNSET
    kv_cache_dtype: t.CacheType | UnsetType = UNSET
    shm_size: t.SharedMemory | UnsetType = UNSET
    ipc: t.IpcMode | UnsetType = UNSET
    restart: t.Restart | UnsetType = UNSET
    stop_grace_period: t.GracePeriod | UnsetType = UNSET
    start_period: t.StartPeriod | UnsetType = UNSET
    log_max_size: t.LogSize | UnsetType = UNSET
    log_max_files: t.LogFiles | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    flags: t.Flags | UnsetType = UNSET
    flag_check: t.FlagCheck | UnsetType = UNSET


class HealthCheckTable(Table, frozen=True, kw_only=True):
    """A health check, in Compose's own keys."""

    test: Annotated[
        list[str],
        Meta(description='`["CMD", program, ...]` or `["CMD-SHELL", line]`.', min_length=1, examples=[["CMD", "true"]]),
    ]
    interval: t.Duration | UnsetType = UNSET
    timeout: t.Duration | UnsetType = UNSET
    retries: (
        Annotated[
            int,
            Meta(
                description="Failures in a row until it counts as unhealthy.",
                ge=1,
                examples=[3],
                extra_json_schema={"x-unit": "failures"},
            ),
        ]
        | UnsetType
    ) = UNSET


class TierTable(ModelServerTable, frozen=True, kw_only=True):
    """One model server."""

    service: t.ServiceName | UnsetType = UNSET
    container_name: t.ContainerName | UnsetType = UNSET
    served_name: (
        Annotated[str, t.text("Model name that the engine answers to.", t.ALIAS_PATTERN, examples=["gpt-oss-20b"])]
        | UnsetType
    ) = UNSET
    gpus: (
        Annotated[
            list[t.GpuName],
            Meta(
                description="GPUs that the tier holds; several are one tensor-parallel group.", examples=[["rtx5090"]]
            ),
        ]
        | UnsetType
    ) = UNSET
    task: t.Task | UnsetType = UNSET
    model: Annotated[ModelTable, Meta(description="The weights.", examples=[{"path": "qwen35-awq"}])] | UnsetType = (
        UNSET
    )
    draft_model: (
        Annotated[
            ModelTable,
            Meta(description="A small model that drafts tokens for the large one.", examples=[{"file": "draft.gguf"}]),
        ]
        | UnsetType
    ) = UNSET
    mmproj: (
        Annotated[str, t.text("Projector of a multimodal GGUF model, in `paths.models`.", examples=["mmproj.gguf"])]
        | UnsetType
    ) = UNSET
    lora: (
        Annotated[
            dict[t.ModelName, t.LocalPath],
            Meta(description="LoRA adapters by name, in `paths.models`.", examples=[{"sql": "adapters/sql"}]),
        ]
        | UnsetType
    ) = UNSET
    files: (
        Annotated[
            dict[t.ContainerPath, t.LocalPath],
            Meta(
                description="Small text files by their path in the container: copied into the tree, mounted read-only.",
                examples=[{"/templates/chat.jinja": "files/chat.jinja"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    standby: (
        Annotated[
            bool, Meta(description="Kept out of the default mode: it runs only in modes that name it.", examples=[True])
        ]
        | UnsetType
    ) = UNSET
    entrypoint: (
        Annotated[list[str], Meta(description="Compose's own; for `custom`.", examples=[["/bin/serve"]])] | UnsetType
    ) = UNSET
    command: (
        Annotated[list[str], Meta(description="Compose's own; for `custom`.", examples=[["--port", "9000"]])]
        | UnsetType
    ) = UNSET
    healthcheck: (
        Annotated[
            HealthCheckTable,
            Meta(
                description="A health check, in Compose's own keys; for `custom`.", examples=[{"test": ["CMD", "true"]}]
            ),
        ]
        | UnsetType
    ) = UNSET
    override: (
        Annotated[
            dict[str, Any],
            Meta(
                description="Compose keys that have the last word: tables merge, everything else replaces.",
                examples=[{"mem_limit": "32g"}],
            ),
        ]
        | UnsetType
    ) = UNSET


class ExperimentTable(ModelServerTable, frozen=True, kw_only=True):
    """The one-off slot: a compose project of its own, driven by MODEL, SERVED_NAME, PORT, GPU_UUID, EXTRA_ARGS."""

    project: t.ProjectName | UnsetType = UNSET
    container_name: (
        Annotated[
            str,
            t.text(
                "Container name; `{port}` is the slot's port.",
                r"^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]|\{port\})+$(?!\n)",
                255,
                examples=["try-{port}"],
            ),
        ]
        | UnsetType
    ) = UNSET
    served_name: (
        Annotated[
            str,
            t.text(
                "Model name that the engine answers to, unless SERVED_NAME is set.",
                t.SERVICE_PATTERN,
                examples=["trial"],
            ),
        ]
        | UnsetType
    ) = UNSET
    gpu: t.GpuName | UnsetType = UNSET


class ModeTable(Table, frozen=True, kw_only=True):
    """A set of tiers that runs together, with its own root file and routes."""

    tiers: Annotated[list[str], Meta(description="The tiers that run.", min_length=1, examples=[["fast", "coder"]])]
    aliases: t.Aliases | UnsetType = UNSET


class Inventory(Table, frozen=True, kw_only=True):
    """One host and what it serves."""

    schema: (
        Annotated[int, Meta(description="Version of this format.", ge=SCHEMA, le=SCHEMA, examples=[SCHEMA])] | UnsetType
    ) = UNSET
    host: HostTable = HostTable()
    paths: PathsTable = PathsTable()
    hfcache: HfCacheTable = HfCacheTable()
    gpus: Annotated[dict[t.GpuKey, GpuTable], Meta(description="The GPUs, by names of yours.")] = field(
        default_factory=dict
    )
    tiers: Annotated[
        dict[t.TierName, TierTable],
        Meta(description="The model servers, by names of yours: lower-case letters, digits, `-`, `_`, `.`."),
    ] = field(default_factory=dict)
    defaults: Annotated[TierTable, Meta(description="Anything that a tier may set, for all of them.")] = TierTable()
    services: Annotated[
        dict[t.ServiceName, dict[str, Any]],
        Meta(
            description="Further compose services of the host, in Compose's own keys. They run in every mode.",
            examples=[{"ui": {"image": "ghcr.io/open-webui/open-webui:main"}}],
        ),
    ] = field(default_factory=dict)
    modes: Annotated[
        dict[t.ModeName, ModeTable],
        Meta(description="Sets of tiers that run together. Without one, every tier but the `standby` ones runs."),
    ] = field(default_factory=dict)
    router: RouterTable | UnsetType = UNSET
    experiment: ExperimentTable | UnsetType = UNSET
