"""What the tables of an inventory are made of: a closed set of keys, and values that come from the environment."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from anvil_gen.inventory import fields as t


class Table(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A TOML table with a closed set of keys."""


class EnvTable(Table, frozen=True, kw_only=True):
    """A value that the inventory cannot know: Compose reads it from the shell or `.env` when it runs."""

    env: Annotated[str, t.text("Name of the environment variable.", t.VARIABLE_PATTERN, examples=["HF_TOKEN"])]
    default: (
        Annotated[
            str,
            Meta(
                description="Value where the variable is not set, without brace or line break.",
                pattern=r"^[^{}\x00\r\n]*$(?!\n)",
                examples=["vllm/vllm-openai:latest"],
            ),
        ]
        | UnsetType
    ) = UNSET


Image = Annotated[
    t.ImageName | EnvTable,
    Meta(description="Container image with its tag or digest.", examples=["vllm/vllm-openai:v0.11.0"]),
]
Environment = Annotated[
    dict[t.EnvironmentName, str | int | EnvTable],
    Meta(
        description='Environment of the container. Every `$` is literal; `{ env = "NAME" }` is a variable.',
        examples=[{"HF_HUB_OFFLINE": "1"}],
    ),
]
