"""What the tables of an inventory are made of: a closed set of keys, and values that come from the environment."""

from typing import Annotated, Literal

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


class LoggingTable(Table, frozen=True, kw_only=True):
    """Where a container's log goes, in Compose's own keys."""

    driver: Annotated[str, t.text("Docker's logging driver.", examples=["local", "journald"])] | UnsetType = UNSET
    options: (
        Annotated[
            dict[str, str | int | EnvTable], Meta(description="The driver's options.", examples=[{"max-size": "10m"}])
        ]
        | UnsetType
    ) = UNSET


Ports = Annotated[
    list[Annotated[str, Meta(pattern=t.PORT_PATTERN)] | t.PortNumber],
    Meta(
        description="Further ports that are published, in Compose's short form: "
        "`[address:][port:]container_port[/protocol]`.",
        examples=[["127.0.0.1:9000:9000"]],
    ),
]
Logging = Annotated[
    LoggingTable | Literal[False],
    Meta(
        description="Where the log goes, in Compose's own keys, instead of `log_max_size` and `log_max_files`; `false` "
        "leaves it to Docker.",
        examples=[{"driver": "local"}, False],
    ),
]
Environment = Annotated[
    dict[t.EnvironmentName, str | int | EnvTable],
    Meta(
        description='Environment of the container. Every `$` is literal; `{ env = "NAME" }` is a variable.',
        examples=[{"HF_HUB_OFFLINE": "1"}],
    ),
]
