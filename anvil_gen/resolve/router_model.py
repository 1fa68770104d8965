"""What a router has beside its routes: clients, limits, and the answers that it gives by itself."""

from msgspec import Struct


class Client(Struct, frozen=True, kw_only=True):
    """Somebody who may use the models: a name for the log, and the variable that holds the key."""

    name: str
    variable: str


class Tls(Struct, frozen=True, kw_only=True):
    """The host's files with which the router serves HTTPS."""

    certificate: str
    key: str


class RouterLimits(Struct, frozen=True, kw_only=True):
    """What the router keeps to, of whichever kind it is."""

    timeout: int  # seconds
    body_limit: int | None  # bytes; None where the router has a limit of its own
    body_buffer: int | None  # bytes that hold the largest request with its headers
    metrics_port: int | None
    metrics_key: bool
    tls: Tls | None
    sealed: bool  # its tiers are on an internal network, and it is on that too


class ResponseBodies(Struct, frozen=True, kw_only=True):
    """What a router can answer by itself, as JSON in OpenAI's form."""

    models: str  # the list of /v1/models
    unknown_model: str  # an error that lists what there is
    no_model: str  # likewise, for a request that names none
