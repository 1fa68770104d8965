"""How much properties and fuzzing try: a fixed sample in every run, many times as much in `scripts/test --long`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.errors import HypothesisException

_SHARE = float(os.environ.get("ANVIL_GEN_EFFORT", "1"))
"""Times as many examples as in a usual run; below 1, as in `make quick`, it is the first ones of the same sample."""

EFFORT = max(1, int(_SHARE))
"""The same, for what is not tried with less; above 1 examples are others each time, from the seed that is printed."""

SECONDS = 20 if EFFORT == 1 else 60
"""As long as a property is tried at most."""


def sample(count: int) -> settings:
    """Return the settings of what is tried with ``count`` examples in a usual run."""
    return settings(
        max_examples=max(1, int(count * _SHARE)),
        deadline=None,
        derandomize=EFFORT == 1,
        database=None,
        # Each example writes files of its own, so that one folder serves all.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def examples(count: int) -> Callable[[Any], Any]:
    """Return the decorator of a property: it is tried with ``count`` examples in a usual run, as far as time allows."""

    def decorate(test: Any) -> Any:
        test.hypothesis.inner_test = _boxed(test.hypothesis.inner_test)
        return sample(count)(test)

    return decorate


def _boxed(test: Callable[..., None]) -> Callable[..., None]:
    """Return the test of an example, which passes once time is up, unless one has failed that is being made smaller."""
    began: list[float] = []
    failed: list[bool] = []

    @wraps(test)
    def boxed(*arguments: Any, **named: Any) -> None:
        began.append(began[0] if began else time.monotonic())
        if time.monotonic() - began[0] > SECONDS and not failed:
            return
        try:
            test(*arguments, **named)
        except HypothesisException:  # the example was none
            raise
        except Exception:
            failed.append(True)
            raise

    return boxed
