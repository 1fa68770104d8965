"""Whether a model fits: one entry for every engine, by how it takes its memory."""

from __future__ import annotations

from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.need_ledger import estimate_need
from anvil_gen.fit.share_ledger import estimate_share


def estimate(case: Case) -> Estimate:
    """Return what a model takes, and whether it fits.

    Raises:
        UnknownTypeError: the engine has no cache of the type that is asked for.
    """
    return estimate_share(case) if case.rules.takes == "share" else estimate_need(case)
