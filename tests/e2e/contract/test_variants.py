"""Claims that need another configuration of the router: last, since it keeps that."""

from __future__ import annotations

import pytest

from e2e.contract.checks import VARIANTS
from e2e.contract.door import Door


@pytest.mark.parametrize("capability", sorted(VARIANTS))
def test_what_is_claimed_is_so(door: Door, capability: str) -> None:
    if capability in door.kind.capabilities:
        VARIANTS[capability](door)
