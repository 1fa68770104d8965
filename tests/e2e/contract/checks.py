"""All checks of the contract, by capability."""

from e2e.contract import clients, gateway, hosts, qualities, replicas, wishes
from e2e.contract.registry import CHECKS, VARIANTS

__all__ = ["CHECKS", "VARIANTS", "clients", "gateway", "hosts", "qualities", "replicas", "wishes"]
