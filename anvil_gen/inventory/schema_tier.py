"""The tables of a model server: a tier, and the experiment slot."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field

from anvil_gen.inventory import fields as t
from anvil_gen.inventory import gpu_fields as g
from anvil_gen.inventory.schema_base import Environment, Logging, Ports, Table
from anvil_gen.inventory.schema_model import AdapterTable, EnvFileTable, ModelTable, WeightsTable
from anvil_gen.inventory.schema_mounts import Mounts, Networks
from anvil_gen.inventory.schema_own_keys import with_own_keys


class ModelServerTable(Table, frozen=True, kw_only=True):
    """What a tier and the experiment slot have in common."""

    CALLED_ELSEWHERE: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("max_model_len", "ctx_size", "n_ctx", "num_ctx", "max_context"), "context_length"),
        **dict.fromkeys(("max_num_seqs", "max_running_requests", "parallel", "num_parallel"), "max_sequences"),
        **dict.fromkeys(("mem_fraction_static", "gpu_utilization"), "gpu_memory_utilization"),
        **dict.fromkeys(("vram", "vram_gb", "vram_gib", "gpu_memory_gb", "gpu_memory_gib"), "gpu_memory"),
        **dict.fromkeys(("cache_type_k", "cache_type", "kv_cache_type"), "kv_cache_dtype"),
        **dict.fromkeys(("tensor_parallel_size", "tp_size", "tp"), "tensor_parallel"),
        **dict.fromkeys(("model_name", "model_alias", "alias"), "served_name"),
        **dict.fromkeys(("args", "extra_args", "arguments"), "flags"),
        **dict.fromkeys(("devices", "device_ids", "cuda_visible_devices"), "gpus"),
        "env": "environment",
        "volumes": "mounts",
        "host_port": "port",
        "speculative_model": "draft_model",
        "lora_modules": "lora",
    }
    """What engines, Compose and people call a key, and what it is called here."""

    engine: t.EngineName | UnsetType = UNSET
    image: t.ImageName | UnsetType = UNSET
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
    flag_check: t.FlagCheck | UnsetType = UNSET
    mounts: Mounts | UnsetType = UNSET


class HealthCheckTable(Table, frozen=True, kw_only=True):
    """A health check, in Compose's own keys. Without `test`, the engine's own is asked."""

    test: (
        Annotated[
            t.Argument | Annotated[list[t.Argument], Meta(min_length=1)],
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
                extra_json_schema={t.VARIABLE: t.NEEDS_DEFAULT, "x-unit": "failures"},
            ),
        ]
        | UnsetType
    ) = UNSET


class TierFields(ModelServerTable, frozen=True, kw_only=True):
    """One model server."""

    service: t.ServiceName | UnsetType = UNSET
    container_name: t.ContainerName | UnsetType = UNSET
    container_port: t.ContainerPort | UnsetType = UNSET
    ports: Ports | UnsetType = UNSET
    served_name: (
        Annotated[
            str,
            t.text(
                "Model name that the engine answers to.",
                t.ALIAS_PATTERN,
                examples=["gpt-oss-20b"],
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    replicas: t.Replicas | UnsetType = UNSET
    gpus: g.Gpus | UnsetType = UNSET
    tensor_parallel: g.TensorParallel | UnsetType = UNSET
    pipeline_parallel: g.PipelineParallel | UnsetType = UNSET
    data_parallel: g.DataParallel | UnsetType = UNSET
    expert_parallel: g.ExpertParallel | UnsetType = UNSET
    task: t.Task | UnsetType = UNSET
    served_names: (
        Annotated[
            list[t.ModelName],
            Meta(
                description="Model names that the engine answers to, instead of `served_name`; the first is the tier's "
                "own. Of several models in one server, the names of the models.",
                min_length=1,
                examples=[["qwen3", "coder"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    model: (
        Annotated[
            ModelTable | Literal[False],
            Meta(
                description="The weights; `false` where the image, the environment or `flags` say what is served.",
                examples=[{"path": "qwen35-awq"}, False],
            ),
        ]
        | UnsetType
    ) = UNSET
    draft_model: (
        Annotated[
            WeightsTable,
            Meta(description="A small model that drafts tokens for the large one.", examples=[{"file": "draft.gguf"}]),
        ]
        | UnsetType
    ) = UNSET
    mmproj: (
        Annotated[
            str,
            t.text(
                "Projector of a multimodal GGUF model, in `paths.models`: llama.cpp loads one.",
                examples=["mmproj.gguf"],
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    lora: (
        Annotated[
            dict[t.ModelName, t.LocalPath | AdapterTable],
            Meta(
                description="LoRA adapters by name: a path in `paths.models`, or a table with `repo` or `rank`.",
                examples=[{"sql": "adapters/sql", "law": {"repo": "org/law-lora", "rank": 32}}],
            ),
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
    extra_arguments: (
        Annotated[
            str,
            t.text(
                "Further arguments of the engine that a variable says, none or several: Compose splits its value as a "
                "shell does.",
                examples=[{"env": "EXTRA_ARGS"}],
                variable=t.PASSED_ON,
            ),
        ]
        | UnsetType
    ) = UNSET
    build: (
        Annotated[
            str | dict[str, Any],
            Meta(
                description="Build context relative to the inventory's folder, or a table of Compose's own keys; with "
                "`image`, what is built gets that name.",
                examples=["images/vllm", {"context": "images/vllm", "target": "serve"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    env_file: (
        Annotated[
            list[t.LocalPath | EnvFileTable],
            Meta(
                description="Files of variables for the container, relative to the inventory's folder. Compose reads "
                "them when it runs; their content never reaches a rendered file.",
                examples=[["serving.env", {"path": "local.env", "required": False}]],
            ),
        ]
        | UnsetType
    ) = UNSET
    pass_: (
        Annotated[
            list[Annotated[str, t.text("Name of a variable.", t.VARIABLE_PATTERN)]],
            Meta(
                description="Variables that the container gets from the shell or `.env` as they are, by name alone.",
                examples=[["HF_TOKEN"]],
            ),
        ]
        | UnsetType
    ) = field(default=UNSET, name="pass")
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
            Annotated[list[t.Argument], Meta(min_length=1)] | Literal[False],
            Meta(
                description="The program with its subcommand, in place of the engine's; the other arguments stay. "
                "`false` leaves the image's own.",
                examples=[["/bin/serve"], False],
            ),
        ]
        | UnsetType
    ) = UNSET
    command: (
        Annotated[
            list[t.Argument],
            Meta(
                description="Words before the flags, in place of the engine's own; `{model}` is the model. For "
                "`custom`, the whole command.",
                examples=[["--port", "9000"], ["python3", "-m", "sglang.launch_server"]],
            ),
        ]
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
                description=(
                    "Compose keys that have the last word: mappings merge deep, `volumes` by target, "
                    "`networks` by name. Other lists replace; `{ add = [...] }` appends. "
                    "`{ remove = true }` removes a key, and so does `false` where Compose takes no boolean."
                ),
                examples=[{"mem_limit": "32g"}],
            ),
        ]
        | UnsetType
    ) = UNSET


if TYPE_CHECKING:

    class TierTable(TierFields, frozen=True, kw_only=True):
        """One model server."""
else:
    TierTable = with_own_keys("TierTable", TierFields)


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
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    gpu: t.GpuName | UnsetType = UNSET
