"""What model servers tell in Prometheus' form: how many requests run and wait."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from anvil_gen.catalog.metrics import Metrics
from anvil_gen.machine.models_api import Address, get_bytes
from anvil_gen.patterns import lazy_pattern

_SAMPLE = lazy_pattern(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})?\s+(?P<value>[^\s]+)")


class Requests(Struct, frozen=True, kw_only=True):
    """The requests of a server; None for what it does not tell."""

    running: int | None = None
    waiting: int | None = None


def requests_of(endpoints: Mapping[str, tuple[Address, Metrics]]) -> dict[str, Requests]:
    """Return the requests of services; those that do not answer within two seconds tell nothing."""
    if not endpoints:
        return {}
    with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
        found = pool.map(lambda one: _requests(*one), endpoints.values())
        return dict(zip(endpoints, found, strict=True))


def _requests(address: Address, metrics: Metrics) -> Requests:
    text = (get_bytes(address, metrics.path) or b"").decode("utf-8", errors="replace")
    sums = sums_of(text)
    numbers = {name: sums.get(metrics.names.get(f"requests_{name}", "")) for name in ("running", "waiting")}
    return Requests(**{name: None if number is None else round(number) for name, number in numbers.items()})


def sums_of(text: str) -> dict[str, float]:
    """Return the sum of the samples of each metric, whatever their labels; what is no number is left out."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        try:
            number = float(match["value"]) if match is not None else float("nan")
        except ValueError:
            continue
        if match is not None and number == number:  # noqa: PLR0124  NaN is not
            sums[match["name"]] = sums.get(match["name"], 0.0) + number
    return sums
