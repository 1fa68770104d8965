"""All checks of the contract, by capability."""

from e2e.contract import gateway, qualities, wishes
from e2e.contract.registry import CHECKS, VARIANTS

__all__ = ["CHECKS", "VARIANTS", "gateway", "qualities", "wishes"]
