"""All checks of the contract, by capability."""

from e2e.contract import gateway, hosts, qualities, replicas, wishes
from e2e.contract.registry import CHECKS, VARIANTS

__all__ = ["CHECKS", "VARIANTS", "gateway", "hosts", "qualities", "replicas", "wishes"]
