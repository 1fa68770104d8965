"""What the tables of an inventory are made of: a closed set of keys, and values that come from the environment."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from anvil_gen.inventory import fields as t


class Table(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A TOML table with a closed set of keys."""


class EnvTable(Table, frozen=True, kw_only=True):
    """A value that the inventory cannot know: Compose reads it from the shell or `.env` when it runs.

    Either `env` with its `default`, or `interpolate`. Any field of the type `variable` takes one, so do `flags`,
    `override` and the tables in Compose's own keys; everywhere else every `$` is literal.
    """

    env: (
        Annotated[str, t.text("Name of the environment variable.", t.VARIABLE_PATTERN, examples=["HF_TOKEN"])]
        | UnsetType
    ) = UNSET
    default: (
        Annotated[
            str | int | float,
            Meta(
                description="Value where the variable is not set, of the field's own form; a text has no brace and no "
                "line break.",
                examples=["vllm/vllm-openai:latest", 8192],
            ),
        ]
        | UnsetType
    ) = UNSET
    interpolate: (
        Annotated[
            str,
            Meta(
                description="A text with variables in Compose's own syntax, also nested: `${NAME}`, "
                "`${NAME:-default}`, `${NAME:?message}`, `${NAME:+instead}`, likewise without `:`; `$$` is a `$`.",
                examples=["vllm/vllm-openai:${TAG:-latest}"],
            ),
        ]
        | UnsetType
    ) = UNSET


class LoggingTable(Table, frozen=True, kw_only=True):
    """Where a container's log goes, in Compose's own keys."""

    driver: (
        Annotated[str, t.text("Docker's logging driver.", examples=["local", "journald"], variable=t.PASSED_ON)]
        | UnsetType
    ) = UNSET
    options: (
        Annotated[
            dict[str, t.EnvironmentValue], Meta(description="The driver's options.", examples=[{"max-size": "10m"}])
        ]
        | UnsetType
    ) = UNSET


Ports = Annotated[
    list[
        Annotated[
            str,
            t.text(
                "`[address:][port:]container_port[/protocol]`.",
                t.PORT_PATTERN,
                examples=["8080:80"],
                variable=t.PASSED_ON,
            ),
        ]
        | t.PortNumber
    ],
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
    dict[t.EnvironmentName, t.EnvironmentSetting],
    Meta(
        description='Environment of the container. Every `$` is literal; `{ env = "NAME" }` is a variable; `false` '
        "removes a variable that the data of engine or GPU sets.",
        examples=[{"HF_HUB_OFFLINE": "1"}],
    ),
]
