"""The values of the router's keys: their forms, units, descriptions and examples."""

from typing import Annotated, Literal

from msgspec import Meta

from anvil_gen.inventory.fields import (
    DURATION_PATTERN,
    NAME_LENGTH,
    SERVICE_PATTERN,
    SIZE,
    TIME,
    ModelName,
    PortNumber,
    TierName,
    text,
)

KeyName = Annotated[
    str,
    text(
        "Name of the environment variable that holds the key which clients must send. Never the key itself.",
        r"^[A-Z][A-Z0-9_]*$(?!\n)",
        examples=["ROUTER_TOKEN"],
    ),
]
ClientName = Annotated[
    str,
    Meta(
        description="A client's name, as in the router's log: letters, digits, `_`, `.`, `-`.",
        pattern=SERVICE_PATTERN,
        max_length=NAME_LENGTH,
        examples=["laptop"],
    ),
]
KeyNames = Annotated[
    KeyName | Annotated[list[KeyName], Meta(min_length=1)] | Annotated[dict[ClientName, KeyName], Meta(min_length=1)],
    Meta(
        description="Name of the environment variable that holds the key which clients must send. Never the key "
        "itself. A list, or a table with names for the log, has one for each client.",
        examples=["ROUTER_TOKEN"],
    ),
]
KeyDigest = Annotated[
    str,
    text(
        "SHA-256 digest of a client's key: 64 hexadecimal digits. Never the key itself.",
        r"^[0-9A-Fa-f]{64}$(?!\n)",
        examples=["14163f7ba5c8ffb2da1dbcc7dcbe7de74fff6e42cb0ee8a3e4a2e95ec3df51c0"],
    ),
]
KeyDigests = Annotated[
    dict[ClientName, KeyDigest],
    Meta(
        description="Clients by the SHA-256 digest of their keys, which have to be random: `anvil-gen client HOST "
        "--new-key NAME` makes one. A change of them is a reload of the router.",
        min_length=1,
        examples=[{"laptop": "14163f7ba5c8ffb2da1dbcc7dcbe7de74fff6e42cb0ee8a3e4a2e95ec3df51c0"}],
    ),
]
Fallbacks = Annotated[
    dict[TierName, Annotated[list[TierName], Meta(min_length=1)]],
    Meta(
        description="Tiers that answer instead of one that cannot be reached, or takes no more: the first of them that "
        "does. Their engines must serve the same task.",
        examples=[{"heavy": ["fast"]}],
    ),
]
BodyLimit = Annotated[
    str, text("Largest request body; above it the answer is 413.", r"^[0-9]+[kmg]$(?!\n)", unit=SIZE, examples=["32m"])
]
Timeout = Annotated[
    str,
    text(
        "How long the router waits for the next piece of an answer.",
        DURATION_PATTERN,
        unit=TIME,
        examples=["1h", "10m"],
    ),
]
Concurrency = Annotated[
    int,
    Meta(
        description="Requests that a tier, or each of its replicas, is given at once; more wait, and are answered with "
        "503 after 30 seconds.",
        ge=1,
        le=100_000,
        extra_json_schema={"x-unit": "requests"},
        examples=[32],
    ),
]
Sticky = Annotated[
    str,
    text(
        "Header by which requests stay at one of a tier's replicas: all of one value go to the same one, whose prefix "
        "cache they share. In lower case; none that holds a key, since these are removed before. Requests without it "
        "are spread in turn.",
        r"^(?!(?:authorization|proxy-authorization|api-key|x-api-key|cookie)$)[a-z0-9][a-z0-9-]*$(?!\n)",
        examples=["x-session-id"],
    ),
]
Metrics = Annotated[
    PortNumber | Literal["key"],
    Meta(
        description='Metrics in Prometheus\' form, at `/metrics`: `"key"` next to the models, behind their key, or a '
        "port of their own, without a key and published on 127.0.0.1.",
        examples=["key", 9101],
    ),
]
# A part of a path never begins with a dot: what a router matches is what a tier is sent.
_PART = r"[A-Za-z0-9_~:-][A-Za-z0-9_.~:-]*"
Path = Annotated[
    str,
    Meta(
        description="A path; `{id}` is any one part of it.",
        pattern=rf"^(/({_PART}|\{{[a-z_]+\}}))+$(?!\n)",
        examples=["/v1/images/generations", "/v1/batches/{id}"],
    ),
]
Paths = Annotated[
    dict[Path, TierName],
    Meta(
        description="Further paths that the router answers, each with the tier of a request that names no model. One "
        "that names a model goes to the model's tier, as on every path.",
        examples=[{"/v1/images/generations": "painter"}],
    ),
]
Cors = Annotated[
    list[
        Annotated[
            str,
            Meta(
                description="An origin as browsers send it, or `*` for any.",
                pattern=r"^(\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9.:\[\]-]+)$(?!\n)",
            ),
        ]
    ],
    Meta(
        description="Origins whose pages may ask from a browser; `*` is any. Preflight requests need no key.",
        min_length=1,
        examples=[["https://chat.example.org"]],
    ),
]
Aliases = Annotated[
    dict[ModelName, str],
    Meta(description="Further model names, each with the tier that answers.", examples=[{"coder": "heavy"}]),
]
