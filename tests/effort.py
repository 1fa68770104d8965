"""How much properties and fuzzing try: a fixed sample in every run, and many times as much in `scripts/test --long`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EFFORT = int(os.environ.get("ANVIL_GEN_EFFORT", "1"))
"""Times as many examples as in a usual run; above 1 they are others each time, from the seed that the run prints."""


def examples(count: int) -> settings:
    """Return the settings of a property that is tried with ``count`` examples in a usual run."""
    return settings(
        max_examples=count * EFFORT,
        deadline=None,
        derandomize=EFFORT == 1,
        database=None,
        # Each example writes files of its own, so that one folder serves all.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
