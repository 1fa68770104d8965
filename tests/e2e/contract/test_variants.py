"""Claims that need another configuration of the router: last, since it keeps that."""

from __future__ import annotations

import pytest
from effort import EFFORT

from anvil_gen.catalog.router_features import REQUESTABLE
from e2e.contract.checks import VARIANTS
from e2e.contract.door import Door
from e2e.contract.test_capabilities import FAILURES


@pytest.mark.parametrize("capability", sorted(VARIANTS))
def test_what_is_claimed_is_so(door: Door, capability: str) -> None:
    if capability in door.kind.supports:
        VARIANTS[capability](door)
    elif capability not in REQUESTABLE and EFFORT > 1:  # minutes, until it is sure that nothing comes
        with pytest.raises(FAILURES):
            VARIANTS[capability](door)
