"""How a container is asked whether it serves: a test of its own, or one of the probes that all data shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from anvil_gen.inventory.fields import Duration
from anvil_gen.inventory.struct_errors import unknown_names
from anvil_gen.text.units import parse_duration
from anvil_gen.values import KeyPath, fill


class Health(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a container is asked whether it serves: by a `probe`, or by a `test` of its own."""

    path: Annotated[str, Meta(description="Path of the request.")]
    probe: Annotated[
        str, Meta(description="Test by a program of the image: a table of `[probes]` in `templates/defaults.toml`.")
    ] = ""
    test: Annotated[
        tuple[str, ...],
        Meta(description="A test of its own, in Compose's form; `{address}`, `{port}` and `{path}` are filled in."),
    ] = ()
    tls_test: Annotated[
        tuple[str, ...], Meta(description="The test of a router that serves HTTPS, where `test` does not do.")
    ] = ()
    interval: Annotated[Duration, Meta(description="Time between two tests.")] = "10s"
    timeout: Annotated[Duration, Meta(description="Time for one test; a probe's request ends a second earlier.")] = "5s"
    retries: Annotated[int, Meta(description="Failures in a row until it counts as unhealthy.")] = 3
    start_period: Annotated[
        Duration,
        Meta(description="Time in which failures do not count; of a router, an engine's is a field of its tier."),
    ] = "30s"


def health_errors(health: Health, probes: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with how a health check says its test."""
    if bool(health.probe) == bool(health.test):
        yield ("health",), 'it has both "probe" and "test"' if health.test else 'neither "probe" nor "test" is set'
    elif health.probe:
        yield from unknown_names([(("health", "probe"), health.probe)], probes)


def with_probe(health: Health, probes: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Health:
    """Return a health check with the test of its probe written out."""
    if not health.probe:
        return health
    values = {"timeout": str(max(int(parse_duration(health.timeout)) - 1, 1))}
    tests = {name: tuple(str(fill(part, values)) for part in test) for name, test in probes[health.probe].items()}
    return replace(health, **{**tests, **({"tls_test": health.tls_test} if health.tls_test else {})})
