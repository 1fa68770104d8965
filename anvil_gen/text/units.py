"""Durations and sizes, as Compose and inventories write them."""

from __future__ import annotations

import re

MIB = 1 << 20
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_BYTES = {"": 1, "k": 1 << 10, "m": MIB, "g": 1 << 30}


def parse_duration(text: str) -> float:
    """Return a duration like ``1m30s`` in seconds."""
    return sum(float(amount) * _SECONDS[unit] for amount, unit in re.findall(r"([0-9.]+)(h|ms|m|s|us|µs|ns)", text))


def parse_size(text: str) -> float:
    """Return a size like ``16g``, ``64mb`` or ``1.5GiB`` in bytes.

    Raises:
        ValueError: it is no size.
    """
    match = re.fullmatch(r"([0-9.]+)([kmg]?)(?:i?b)?", text.lower())
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _BYTES[match[2]]


def quantity(size: int) -> str:
    """Return bytes as Kubernetes writes them, in the largest unit of which there is a whole number: ``48Gi``."""
    for unit, factor in (("Gi", MIB << 10), ("Mi", MIB), ("Ki", 1 << 10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
