"""Durations in seconds, sizes in bytes."""

from __future__ import annotations

import pytest

from anvil_gen.text.units import parse_duration, parse_size, quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("1h0m0.5s", 3600.5), ("250ms", 0.25), ("2us", 2e-6), ("2µs", 2e-6), ("5ns", 5e-9)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17179869184", 16 << 30),
        ("512b", 512),
        ("1k", 1 << 10),
        ("64MB", 64 << 20),
        ("16g", 16 << 30),
        ("8MiB", 8 << 20),
        ("1.5GiB", 3 << 29),
    ],
)
def test_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "g", "1x", "-1k"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"), [(48 << 30, "48Gi"), (3 << 29, "1536Mi"), (512 << 10, "512Ki"), (1000, "1000"), (1 << 20, "1Mi")]
)
def test_a_quantity(size: int, text: str) -> None:
    assert quantity(size) == text
