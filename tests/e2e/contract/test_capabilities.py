"""What a router claims works, and what it does not claim really does not: its data file is the truth."""

from __future__ import annotations

import http.client

import pytest

from anvil_gen.catalog.router_features import FEATURES, REQUESTABLE
from e2e.contract.checks import CHECKS, VARIANTS
from e2e.contract.door import Door

# What a check raises where a router lacks its capability: an assertion, no usable answer, or one without what is read.
FAILURES = (AssertionError, OSError, http.client.HTTPException, ValueError, LookupError, TypeError)


def test_every_capability_has_its_check() -> None:
    assert sorted([*CHECKS, *VARIANTS]) == sorted(FEATURES)


@pytest.mark.parametrize("capability", sorted(CHECKS))
def test_what_is_claimed_is_so(door: Door, capability: str) -> None:
    door.forget()
    if capability in door.kind.supports:
        CHECKS[capability](door)
    elif capability not in REQUESTABLE:
        with pytest.raises(FAILURES):
            CHECKS[capability](door)
