"""A router of each kind, in front of the same stubs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anvil_gen.catalog.catalog import Catalog
from e2e.conftest import new_box
from e2e.contract.door import TIERS, Door
from e2e.engine import Engine


@pytest.fixture(scope="package", params=Catalog().names("routers"))
def door(request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Bring one router up, for all tests of the contract."""
    with new_box(engine, tmp_path_factory.mktemp(request.param)) as box:
        made = Door(box, request.param)
        made.up()
        # A router that has just started may still look for its tiers.
        for tier, (task, _, _) in TIERS.items():
            if task == "chat":
                made.wait_for(tier)
        yield made
