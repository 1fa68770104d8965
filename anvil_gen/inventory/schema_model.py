"""The tables of weights: a model, its draft, and adapters."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Table


class WeightsTable(Table, frozen=True, kw_only=True):
    """The weights of one model: exactly one of `path`, `repo` and `file`."""

    path: (
        Annotated[
            str,
            t.text(
                "Model folder inside `paths.models`, or an absolute path.",
                examples=["qwen35-awq"],
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    repo: (
        Annotated[
            str,
            t.text(
                "Repository on the Hugging Face Hub, with a tag where the engine takes one.",
                t.REPO_PATTERN,
                examples=["openai/gpt-oss-20b"],
                variable=t.PASSED_ON,
            ),
        ]
        | UnsetType
    ) = UNSET
    file: (
        Annotated[
            str,
            t.text(
                "Model file inside `paths.models`, or an absolute path.",
                examples=["model.gguf"],
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    revision: (
        Annotated[
            str,
            t.text(
                "Commit, tag or branch of `repo`.",
                r"^[A-Za-z0-9][A-Za-z0-9._/-]*$(?!\n)",
                examples=["v1.0"],
                variable=t.PASSED_ON,
            ),
        ]
        | UnsetType
    ) = UNSET
    cache: (
        Annotated[
            bool,
            Meta(
                description="`false`: `repo` is not in the shared cache; `mounts` has its folder, or each container "
                "downloads it again.",
                examples=[False],
            ),
        ]
        | UnsetType
    ) = UNSET
    mount: (
        Annotated[
            t.ContainerPath,
            Meta(
                description="Where the container has it, instead of below the engine's folder of models.",
                examples=["/model"],
            ),
        ]
        | UnsetType
    ) = UNSET


class ModelTable(WeightsTable, frozen=True, kw_only=True):
    """The weights: `path`, `repo` or `file`, or those of several models in one server."""

    repos: (
        Annotated[
            list[Annotated[str, t.text("A repository, with its tag.", t.REPO_PATTERN)]],
            Meta(
                description="Several models of one server, each pulled before it serves and known by its own name.",
                min_length=1,
                examples=[["qwen3:8b", "bge-m3"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    folder: (
        Annotated[
            str,
            t.text(
                "Folder of models, in `paths.models` or an absolute path: one server loads each when it is asked for. "
                "`served_names` has their names.",
                examples=["gguf"],
            ),
        ]
        | UnsetType
    ) = UNSET
    presets: (
        Annotated[
            t.LocalPath,
            Meta(
                description="File of presets, relative to the inventory's folder: one server loads each when it is "
                "asked for. It is copied into the tree; its sections are the models' names. With `folder`, both count.",
                examples=["files/presets.ini"],
            ),
        ]
        | UnsetType
    ) = UNSET


class AdapterTable(Table, frozen=True, kw_only=True):
    """A LoRA adapter: `path` or `repo`."""

    path: (
        Annotated[str, t.text("Adapter in `paths.models`, or an absolute path.", examples=["adapters/sql"])] | UnsetType
    ) = UNSET
    repo: (
        Annotated[str, t.text("Repository on the Hugging Face Hub.", t.REPO_PATTERN, examples=["org/sql-lora"])]
        | UnsetType
    ) = UNSET
    rank: (
        Annotated[
            int,
            Meta(description="Its rank, where the engine must know the highest.", ge=1, examples=[32]),
        ]
        | UnsetType
    ) = UNSET


class EnvFileTable(Table, frozen=True, kw_only=True):
    """A file of variables that may be missing."""

    path: Annotated[str, t.text("File of variables, relative to the inventory's folder.", examples=["local.env"])]
    required: Annotated[bool, Meta(description="Whether Compose refuses to start without it.", examples=[False])] = True
