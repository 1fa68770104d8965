"""Regular expressions that are compiled when they are used."""

from __future__ import annotations

import re

import pytest

from anvil_gen.patterns import lazy_pattern


def test_does_what_a_compiled_one_does() -> None:
    pattern = lazy_pattern(r"(?P<name>[a-z]+)=\d", re.IGNORECASE)

    found = pattern.search("x A=1")

    assert found is not None
    assert found["name"] == "A"
    assert pattern.sub("-", "a=1 b=2") == "- -"
    assert pattern.pattern == r"(?P<name>[a-z]+)=\d"


def test_is_compiled_no_earlier_than_it_is_used() -> None:
    pattern = lazy_pattern("(")

    with pytest.raises(re.error):
        pattern.search("")
