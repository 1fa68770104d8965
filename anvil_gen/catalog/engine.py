"""The data of an inference engine: `templates/engines/<name>/engine.toml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine_parts import Parallel, Picked, Recognise, Sampling
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.catalog.health import Health
from anvil_gen.catalog.image_kind import Cache, ComposeKeys, ImageKind
from anvil_gen.catalog.metrics import Metrics
from anvil_gen.catalog.multi_node import MultiNode
from anvil_gen.inventory.fields import Architecture, ComputeCapability, Platform, Task
from anvil_gen.values import KeyPath, canonical_flag

ModelKind = Literal["path", "repo", "file", "repos", "folder", "presets"]
AdapterKind = Literal["path", "repo"]
Variables = Annotated[
    Mapping[str, str],
    Meta(
        description="Environment variables; `{port}` and `{hub_cache}` are filled in. One with `{hub_cache}` is left "
        "out where that is not mounted."
    ),
]
ImageKey = Annotated[
    str,
    Meta(description="`default`, or a compute capability in quotes.", pattern=r"^(?:default|[0-9]{1,2}\.[0-9])$(?!\n)"),
]


class ModelsEndpoint(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where an engine lists the models that it serves."""

    path: Annotated[str, Meta(description="Path of the request.")] = "/v1/models"
    names: Annotated[str, Meta(description="Way to the names in its JSON, `[]` for each item of a list.")] = "data[].id"


class Refusal(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Values of a field that do not work where the quirk applies."""

    option: Annotated[str, Meta(description="Field of a tier.")]
    values: Annotated[tuple[str, ...], Meta(description="Values that are refused.")]
    remedy: Annotated[str, Meta(description="What to write instead.")]


Since = Annotated[str, Meta(description="Condition: this version of the engine or a newer one.")]
Until = Annotated[str, Meta(description="Condition: a version before this one.")]


class VersionData(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What some versions want otherwise: its entries replace those of the engine's tables."""

    since: Since = ""
    until: Until = ""
    fields: Annotated[
        Mapping[str, str | tuple[str, ...]], Meta(description="Likewise: field -> flag or flags; empty for none.")
    ] = {}
    field_flags: Annotated[
        Mapping[str, Mapping[str, Any]], Meta(description="Likewise: field -> flags that go with it.")
    ] = {}
    flags: Annotated[Mapping[str, Any], Meta(description="Likewise: flags that are always set; `false` for none.")] = {}
    tasks: Annotated[
        Mapping[Task, Mapping[str, Any]], Meta(description="Likewise: task -> the flags that make it do so.")
    ] = {}


class Quirk(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A peculiarity, applied where all of its conditions hold."""

    reason: Annotated[str, Meta(description="Why it is there: a comment above the variables that it sets.")]
    since: Since = ""
    until: Until = ""
    platform: Annotated[Platform, Meta(description="Condition: the platform of the host.")] | None = None
    gpus_from: Annotated[int, Meta(description="Condition: this many GPUs or more.")] = 0
    compute_capability_below: (
        Annotated[ComputeCapability, Meta(description="Condition: a GPU below this compute capability.")] | None
    ) = None
    compute_capability_from: (
        Annotated[ComputeCapability, Meta(description="Condition: a GPU of this compute capability or above.")] | None
    ) = None
    environment: Variables = {}
    flags: Annotated[Mapping[str, Any], Meta(description="Flags that are added.")] = {}
    refuse: Refusal | None = None


class AnyName(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What makes an engine answer to any model name, so that no alias has to be told to it."""

    environment: Variables
    since: Annotated[str, Meta(description="The version that knows it, as image tags name it: `0.21`.")]
    reason: Annotated[str, Meta(description="Why it is there: a comment above the variables that it sets.")]


class Engine(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An inference engine."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "options": "fields",
        "variables": "field_env",
        "option_flags": "field_flags",
        "aliases": "flag_aliases",
        "tools": "tool_flags",
    }

    title: Annotated[str, Meta(description="Its name for people.")]
    docs: Annotated[str, Meta(description="Where its flags are documented.")]
    image: Annotated[
        str,
        Meta(description="Image without GPUs, or for GPUs that `images` does not list; without it, a tier names one."),
    ] = ""
    image_cpu: Annotated[str, Meta(description="Image without GPUs, where that is another one than `image`.")] = ""
    images: Annotated[
        Mapping[str, Mapping[ImageKey, str]],
        Meta(
            description="Images for GPUs, by vendor (a folder of `gpus/`): by compute capability, "
            "and `default` for any other GPU of the vendor."
        ),
    ] = {}
    image_gib: Annotated[
        float, Meta(description="Size of the largest image on disk, unpacked, in GiB and roughly.")
    ] = 10.0
    image_versions: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of its official images, whole, whose group `version` is the release; any other image "
            "counts as the newest release, and what its flags have wrong is a warning."
        ),
    ] = ()
    recognise: Recognise | None = None
    image_kinds: Annotated[tuple[ImageKind, ...], Meta(description="What is peculiar to some of its images.")] = ()
    architectures: Annotated[
        Mapping[Architecture, Mapping[str, str]],
        Meta(description="Processor of a host -> image of `image` or `images` -> the one to take there instead."),
    ] = {}
    flag_needs: Annotated[
        Mapping[str, ComposeKeys],
        Meta(description="Flag, or `flag=value` -> what it needs of the container, as keys of Compose."),
    ] = {}
    negations: Annotated[
        tuple[str, ...], Meta(description="What the name of a flag begins with that switches another off.")
    ] = ("no-",)
    variable_prefix: Annotated[
        str, Meta(description="What the environment variables begin with that its `flags.json` lists.")
    ] = ""
    own_command: Annotated[
        bool,
        Meta(description="The tier sets Compose's `command`, and nothing is added to it."),
    ] = False
    entrypoint: Annotated[tuple[str, ...], Meta(description="The program; empty for the image's own.")] = ()
    command: Annotated[
        tuple[str, ...],
        Meta(description="Positional arguments before the flags; `{model}` is the model, where no flag names it."),
    ] = ()
    bare_command: (
        Annotated[
            tuple[str, ...],
            Meta(
                description="Likewise, where a tier has an `entrypoint` of its own, or the image's; without it, what "
                "of `command` has `{model}`."
            ),
        ]
        | None
    ) = None
    flag_style: Annotated[
        Literal["equals", "space"],
        Meta(description="`equals`: `--flag=value`; `space`: `--flag` and `value` as two arguments."),
    ] = "equals"
    list_style: Annotated[
        Literal["spread", "repeat"],
        Meta(description="Several values of a flag: all after one flag (`spread`), or each after its own (`repeat`)."),
    ] = "repeat"
    models: Annotated[tuple[ModelKind, ...], Meta(description="Kinds of `model` that it can load.")] = (
        "path",
        "repo",
        "file",
    )
    headless: Annotated[
        tuple[str, ...],
        Meta(description="Flags with which it answers nobody, so that no health check would ever pass."),
    ] = ()
    model_config: Annotated[
        tuple[str, ...],
        Meta(description="Files of which a model's folder has one, by which the engine knows what the model is."),
    ] = ()
    model_config_flags: Annotated[
        tuple[str, ...], Meta(description="Flags that name a place for that file outside of the folder.")
    ] = ()
    hub_repo: Annotated[
        str,
        Meta(
            description="How `repo` names a repository of the Hugging Face Hub, as a regular expression with a group "
            "`repo`; what does not match is from elsewhere."
        ),
    ] = r"(?P<repo>[^/:]+/[^/:]+)"
    model_needed: Annotated[bool, Meta(description="A tier must have a `model`, be it `false`.")] = True
    model_env: Annotated[
        tuple[str, ...], Meta(description="Environment variables that name the model, so that a tier needs none.")
    ] = ()
    presets_file: Annotated[
        str, Meta(description="File in the container where the presets of several models are mounted.")
    ] = "/etc/models/presets.ini"
    model_dir: Annotated[str, Meta(description="Folder in the container where local models are mounted.")] = "/models"
    hub_cache: Annotated[
        str, Meta(description="Folder in the container where the shared Hugging Face cache is mounted.")
    ] = "/root/.cache/huggingface"
    hub_folder: Annotated[
        str,
        Meta(
            description="Folder in the shared cache where it has repositories in the layout of huggingface_hub; empty "
            "for a layout of its own."
        ),
    ] = "hub"
    hub_files: Annotated[
        tuple[str, ...],
        Meta(description="Patterns of the files of a repository that it reads; of a GGUF model, those of its tag."),
    ] = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.tiktoken", "*.txt", "*.py")
    hub_ignored: Annotated[
        tuple[str, ...], Meta(description="Patterns of files among these that it does not read.")
    ] = ("original/*", "consolidated*", "onnx/*", "openvino/*", "metal/*")
    hub_files_with: Annotated[
        Mapping[str, tuple[str, ...]], Meta(description="`flag=value` -> patterns of the files that are read instead.")
    ] = {}
    hub_companions: Annotated[
        Mapping[str, tuple[str, ...]],
        Meta(description="Part of the name of a file that a GGUF model takes along -> what of a tier is against it."),
    ] = {}
    pull: Annotated[str, Meta(description="Command in its container that pulls `{model}` from its own library.")] = ""
    hub_always: Annotated[
        bool, Meta(description="The shared cache is mounted without a model too: models are pulled into it later.")
    ] = False
    api_base: Annotated[str, Meta(description="Path of its OpenAI-compatible API.")] = "/v1"
    vendors: Annotated[
        tuple[str, ...],
        Meta(description="Vendors of the GPUs that it runs on, by folder of `gpus/`; empty for the processor only."),
    ]
    fields: Annotated[
        Mapping[str, str | tuple[str, ...]],
        Meta(
            description="Field of a tier -> flag or flags, in the order of the command line; also `model` (or "
            "`model.path`, `model.repo`, ...; likewise `draft_model`), `revision`, `draft_model.revision` and "
            "`tensor_parallel`."
        ),
    ] = {}
    json_keys: Annotated[
        Mapping[str, str],
        Meta(description="Field -> its key, where the flag is JSON; a tier's `flags` may set the other keys of that."),
    ] = {}
    field_env: Annotated[
        Mapping[str, str], Meta(description="Field -> environment variable, where there is no flag for it.")
    ] = {}
    field_flags: Annotated[
        Mapping[str, Mapping[str, Any]],
        Meta(
            description="Field -> flags that go with it where it is set; `{rank}` is the highest of the adapters, and "
            "a flag with it is left out where none says its rank."
        ),
    ] = {}
    served_names: Annotated[
        Literal["one", "several", "any"],
        Meta(
            description="Model names that it answers to: the served name, further ones that a flag lists, or any name."
        ),
    ] = "one"
    any_name: AnyName | None = None
    alias_pattern: Annotated[
        str, Meta(description="Aliases that it takes for such, as a regular expression; empty for any.")
    ] = ""
    alias_help: Annotated[str, Meta(description="What it does with another one, in words.")] = ""
    lora_form: Annotated[str, Meta(description="How an adapter is written: `{name}={path}`.")] = "{path}"
    lora_kinds: Annotated[tuple[AdapterKind, ...], Meta(description="Kinds of adapters that it can load.")] = ("path",)
    lora_ranks: Annotated[
        tuple[int, ...], Meta(description="The ranks that it can be given, ascending; empty for any.")
    ] = ()
    lora_served_as: Annotated[
        str,
        Meta(description="Model name of an adapter, of `{served_name}` and `{name}`; empty where none names it."),
    ] = ""
    flag_aliases: Annotated[
        Mapping[str, str], Meta(description="Other flags that would set the same -> the field.")
    ] = {}
    flags: Annotated[
        Mapping[str, Any],
        Meta(
            description="Flags that are always set, unless a tier's `flags` set or remove them; `{drain_seconds}` is "
            "some seconds less than `stop_grace_period`."
        ),
    ] = {}
    defaults: Annotated[
        Mapping[str, Any], Meta(description="Defaults of a tier's fields, over those of `templates/defaults.toml`.")
    ] = {}
    reasons: Annotated[
        Mapping[str, str],
        Meta(description="Why its services have a default of `[reasons]` in `templates/defaults.toml`, for its page."),
    ] = {}
    environment: Variables = {}
    hub_environment: Annotated[
        Variables, Meta(description="Likewise, only where something comes from the Hugging Face Hub.")
    ] = {}
    tasks: Annotated[
        Mapping[Task, Mapping[str, Any]], Meta(description="Task that it serves -> the flags that make it do so.")
    ] = msgspec.field(default_factory=lambda: {"chat": {}})
    paths: Annotated[
        Mapping[Task, tuple[str, ...]],
        Meta(
            description="Task -> paths that it answers, besides those that every engine of the task has; `{id}` is any "
            "one part of a path."
        ),
    ] = {}
    health: Health | None = None
    models_endpoint: ModelsEndpoint = ModelsEndpoint()
    metrics: Metrics | None = None
    caches: Annotated[tuple[Cache, ...], Meta(description="Named volumes for what it can make again.")] = ()
    tool_flags: Annotated[
        tuple[str, ...], Meta(description="Flags that must all be set for the model to be offered tools.")
    ] = ()
    model_flags: Annotated[
        Mapping[Literal["tools", "reasoning", "chat_template"] | Sampling, str],
        Meta(
            description="What is known of a model in `models/` -> the flag that says it; sampling only where the "
            "engine does not read it from the model."
        ),
    ] = {}
    parallel: Parallel = Parallel()
    picked: Picked | None = None
    multi_node: MultiNode | None = None
    quirks: Annotated[tuple[Quirk, ...], Meta(description="Peculiarities on a platform or on some GPUs.")] = ()
    versions: Annotated[tuple[VersionData, ...], Meta(description="What some versions want otherwise.")] = ()

    def at(self, version: str) -> Engine:
        """Return the engine as one of its versions is."""
        key = version_key(version)
        quirks = tuple(quirk for quirk in self.quirks if _applies(quirk, key))
        tables: dict[str, Any] = {name: getattr(self, name) for name in _VERSIONED}
        for data in (data for data in self.versions if _applies(data, key)):
            tables = {name: {**table, **getattr(data, name)} for name, table in tables.items()}
        tables["fields"] = {field: flags for field, flags in tables["fields"].items() if flags}
        return replace(self, quirks=quirks, **tables)

    @property
    def flag_fields(self) -> dict[str, str]:
        """Flag, by its canonical name -> the field that sets it."""
        mapped = {
            canonical_flag(flag): field
            for field, flags in self.fields.items()
            if field not in self.json_keys
            for flag in ((flags,) if isinstance(flags, str) else flags)
        }
        return {**mapped, **{canonical_flag(flag): field for flag, field in self.flag_aliases.items()}}

    def arguments_for(self, *, own_program: bool) -> tuple[str, ...]:
        """Return the positional arguments for the engine's program, or for one that a tier or the image names."""
        if not own_program:
            return self.command
        if self.bare_command is not None:
            return self.bare_command
        return tuple(part for part in self.command if "{model}" in part)

    def named_fields(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield each field that the data names, with its key path."""
        for key in ("fields", "json_keys", "field_env", "field_flags"):
            yield from (((key, name), name) for name in getattr(self, key))
        yield from ((("flag_aliases", flag), field) for flag, field in self.flag_aliases.items())
        for at, data in enumerate(self.versions):
            for key in ("fields", "field_flags"):
                yield from ((("versions", at, key, name), name) for name in getattr(data, key))


_VERSIONED = ("fields", "field_flags", "flags", "tasks")


def _applies(data: VersionData | Quirk, key: tuple[int, ...]) -> bool:
    return version_key(data.since) <= key and not (data.until and version_key(data.until) <= key)


_MODELS = {"model": get_args(ModelKind), "draft_model": ("path", "repo", "file", "revision")}
DERIVED_OPTIONS = (
    *("model", "revision", "tensor_parallel"),
    *(f"{model}.{kind}" for model, kinds in _MODELS.items() for kind in kinds),
)
"""What an engine's flags may set besides the fields of a tier: the model's argument, and the number of GPUs."""
