"""The tables of a model server: a tier, and the experiment slot."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Environment, Image, Logging, Ports, Table
from anvil_gen.inventory.schema_mounts import Mounts, Networks


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
    init: t.Init | UnsetType = UNSET
    logging: Logging | UnsetType = UNSET
    log_max_size: t.LogSize | UnsetType = UNSET
    log_max_files: t.LogFiles | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    flags: t.Flags | UnsetType = UNSET
    mounts: Mounts | UnsetType = UNSET


class HealthCheckTable(Table, frozen=True, kw_only=True):
    """A health check, in Compose's own keys. Without `test`, the engine's own is asked."""

    test: (
        Annotated[
            str | Annotated[list[str], Meta(min_length=1)],
            Meta(
                description='`["CMD", program, ...]`, `["CMD-SHELL", line]`, or a line for the shell.',
                examples=[["CMD", "true"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    disable: (
        Annotated[bool, Meta(description="`true` switches a check of the image's own off.", examples=[True])]
        | UnsetType
    ) = UNSET
    interval: t.Duration | UnsetType = UNSET
    timeout: t.Duration | UnsetType = UNSET
    start_period: t.Duration | UnsetType = UNSET
    start_interval: t.Duration | UnsetType = UNSET
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
    container_port: t.ContainerPort | UnsetType = UNSET
    ports: Ports | UnsetType = UNSET
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
    networks: Networks | UnsetType = UNSET
    standby: (
        Annotated[
            bool, Meta(description="Kept out of the default mode: it runs only in modes that name it.", examples=[True])
        ]
        | UnsetType
    ) = UNSET
    caches: (
        Annotated[
            bool,
            Meta(
                description="Whether what the engine compiles is kept in named volumes, so that a new container does "
                "not compile again.",
                examples=[False],
            ),
        ]
        | UnsetType
    ) = UNSET
    entrypoint: (
        Annotated[
            list[str] | Literal[False],
            Meta(
                description="The program, in place of the engine's; arguments stay. `false` leaves the image's own.",
                examples=[["/bin/serve"], False],
            ),
        ]
        | UnsetType
    ) = UNSET
    command: (
        Annotated[list[str], Meta(description="Compose's own; for `custom`.", examples=[["--port", "9000"]])]
        | UnsetType
    ) = UNSET
    healthcheck: (
        Annotated[
            HealthCheckTable | Literal[False],
            Meta(
                description="The health check, in Compose's own keys: with `test` as it is written, without it the "
                "engine's with other times. `false` leaves it out.",
                examples=[{"interval": "30s"}, {"test": ["CMD", "true"]}, False],
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
