"""Frozen values of the front door that need no other part of the model."""

from msgspec import Struct


class Client(Struct, frozen=True, kw_only=True):
    """Somebody who may use the models: a name for the log, and the variable that holds the key."""

    name: str
    variable: str


class Tls(Struct, frozen=True, kw_only=True):
    """The machine's files with which the router serves HTTPS."""

    certificate: str
    key: str


class Terms(Struct, frozen=True, kw_only=True):
    """What the front door keeps to, whichever router it is."""

    timeout: int  # seconds
    body_limit: int | None  # bytes; None where the router has a limit of its own
    body_buffer: int | None  # bytes that hold the largest request with its headers
    metrics_port: int | None
    metrics_key: bool
    tls: Tls | None
    sealed: bool  # its tiers are on an internal network, and it is on that too


class Answers(Struct, frozen=True, kw_only=True):
    """What a router can answer by itself, as JSON in OpenAI's form."""

    models: str  # the list of /v1/models
    unknown_model: str  # an error that lists what there is
    no_model: str  # likewise, for a request that names none
