"""What a render warns of: models that do not fit, by the facts that the host's locks have.

Nothing else is read: a render warns of the same on every machine.
"""

from __future__ import annotations

from anvil_gen.fit.estimate import gib
from anvil_gen.fit.facts_source import has_lock
from anvil_gen.fit.host_fit import locked_fit
from anvil_gen.resolve.host import Host


def warn_of_misfits(host: Host) -> None:
    """Warn of tiers whose model does not fit."""
    if not has_lock(host.path):
        return
    for tier in locked_fit(host).tiers:
        if tier.verdict == "does not fit" and tier.estimate is not None:
            longest = tier.estimate.max_context
            remedy = f"anvil-gen fit {host.name} {tier.tier} shows what takes how much"
            if longest is not None and longest.low:
                remedy = f"a context of {longest.low:,.0f} tokens fits; {remedy}"
            detail = f"{tier.model} on GPUs of {gib(tier.estimate.memory)}: {'; '.join(tier.reasons)}"
            host.collector.add("model-does-not-fit", ("tiers", tier.tier, "model"), detail, remedy, severity="warning")
