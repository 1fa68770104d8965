"""What a router has beside its routes: clients, limits, and the answers that it gives by itself."""

import json
import re

from msgspec import Struct

from anvil_gen.patterns import lazy_pattern

_FILE_VARIABLE, _TIER_VARIABLE = "ROUTER_FILE_", "ROUTER_TIER_"
"""Prefixes of the variables that carry digests of a router's files, for the service that reloads the router."""
HEALTH_FILE = "router/health.json"
"""What a router that reloads answers at /health: the same digests."""


def file_variable(name: str) -> str:
    """Return the variable with the digest of a router's file: ``ROUTER_FILE_haproxy_cfg``."""
    return _FILE_VARIABLE + name.replace(".", "_")


def tier_variable(name: str) -> str:
    """Return the variable with the digest of what a router's files say of a tier: ``ROUTER_TIER_fast_2d2``."""
    return _TIER_VARIABLE + "".join(sign if sign.isalnum() else f"_{ord(sign):02x}" for sign in name)


def digested_by(variable: str) -> str:
    """Return whose digest a variable has: a file's, or a tier's routes'; an empty text for any other variable."""
    if variable.startswith(_TIER_VARIABLE):
        tier, *signs = variable.removeprefix(_TIER_VARIABLE).split("_")
        return "routes of " + tier + "".join(chr(int(sign[:2], 16)) + sign[2:] for sign in signs)
    return file_of_variable(variable)


def file_of_variable(variable: str) -> str:
    """Return the file whose digest a variable has; an empty text for any other variable."""
    stem, _, suffix = variable.removeprefix(_FILE_VARIABLE).rpartition("_")
    return f"{stem}.{suffix}" if variable.startswith(_FILE_VARIABLE) else ""


def path_of_mode(path: str, mode: str) -> str:
    """Return the path of a mode's own version of a file: ``router/router.night.toml``."""
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.{mode}{dot}{suffix}"


_PLAIN = lazy_pattern(r"[\w./:@+-]+", re.ASCII)


class Client(Struct, frozen=True, kw_only=True):
    """Somebody who may use the models: a name for the log, and the variable that holds the key, or the key's digest."""

    name: str
    variable: str = ""
    digest: str = ""  # SHA-256, in lower case


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
    origins: tuple[str, ...]  # whose pages may ask from a browser
    sealed: bool  # its tiers are on an internal network, and it is on that too


class TierCheck(Struct, frozen=True, kw_only=True):
    """How a router sees whether a tier serves: the path that it asks for, which has to answer without an error.

    ``pattern`` is a regular expression that the answer matches, where it has to show which tier it is.
    """

    path: str
    pattern: str = ""


class PeerModel(Struct, frozen=True, kw_only=True):
    """A model name that another host's router answers to, and what it serves by it."""

    name: str
    task: str
    serves: str = ""


class Peer(Struct, frozen=True, kw_only=True):
    """Another host, whose router serves models for this one; ``timeout`` in seconds."""

    name: str
    address: str
    port: int
    tls: bool
    variable: str | None  # that holds the key which its router asks for
    timeout: int
    models: tuple[PeerModel, ...]


class Route(Struct, frozen=True, kw_only=True):
    """A name that clients may ask for, and the tier that answers."""

    name: str
    tier: str
    task: str
    model: str = ""  # what the tier is asked for, if the router writes it
    entry: str = ""  # the tier, or the tier and its model where that is not its first
    max_model_len: int | None = None  # tokens, where the inventory states them
    how: str  # "served" by its own name, "rewritten" by the router, "told" to the engine, takes "any", or "host"
    hosts: tuple[str, ...] = ()  # other hosts that answer too; alone, where ``how`` says so, and ``tier`` is the first

    @property
    def backend(self) -> str:
        """A name for those that answer: the tier's, where it is alone. No tier has a colon in its name."""
        return ":".join(("HOST", *self.hosts) if self.how == "host" else (self.tier, *self.hosts))

    @property
    def is_plain(self) -> bool:
        """Whether the name has none of the signs that mean something in what counts it."""
        return _PLAIN.fullmatch(self.name) is not None

    @property
    def label(self) -> str:
        """The name as a label of Prometheus."""
        return f'{{name="{self.name}"}}'

    @property
    def pattern(self) -> str:
        """The name as a regular expression."""
        return re.escape(self.name)

    @property
    def card(self) -> str:
        """What `/v1/models` says of it, as JSON without spaces."""
        length = {} if self.max_model_len is None else {"max_model_len": self.max_model_len}
        said = {"id": self.name, "object": "model", "created": 0, "owned_by": self.tier, **length}
        return json.dumps(said, separators=(",", ":"))


class OtherHosts(Struct, frozen=True, kw_only=True):
    """The other hosts that a router passes requests to."""

    peers: tuple[Peer, ...]
    variables: tuple[str, ...]  # with their keys, but for those that are its own clients' too
    certificates: str | None  # the host's file that verifies them, where one has TLS
    shared: tuple[Route, ...]  # one for each set of a tier and hosts, or of several hosts, with the same names


_PART = "[A-Za-z0-9_~:-][A-Za-z0-9_.~:-]*"
"""A part of a path that a tier reads as the router does: no dots that lead elsewhere, nothing encoded."""


class PathRoute(Struct, frozen=True, kw_only=True):
    """A path that the router answers."""

    path: str
    tier: str  # of a request that names no model; empty where that is an error
    tiers: tuple[str, ...]  # those that have it
    own: bool  # of some engines or of the inventory: it may want any method
    form: bool  # it takes a form

    @property
    def pattern(self) -> str:
        """A regular expression for it."""
        parts = [_PART if part.startswith("{") else re.escape(part) for part in self.path.split("/")]
        return f"^{'/'.join(parts)}$"
