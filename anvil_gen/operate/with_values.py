"""A stack as it runs on this host: its GPUs, names and ports with the values of their variables."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from anvil_gen.render.quoting import compose_string
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Mode, Port, Router, Service, Stack, Tier
from anvil_gen.text.interpolation import fill_variables
from anvil_gen.values import Text, text_of


def with_values(stack: Stack, values: Mapping[str, str]) -> Stack:
    """Return a stack in which that by which containers are found has the ``values`` of the variables.

    The experiment keeps its variables: each trial has values of its own.
    """
    if not stack.variables:
        return stack
    filler = _Filler(values)
    tiers = {tier.name: filler.tier(tier) for tier in stack.tiers}
    return replace(
        stack,
        gpus=tuple(map(filler.gpu, stack.gpus)),
        tiers=tuple(tiers.values()),
        modes=tuple(filler.mode(mode, tiers) for mode in stack.modes),
        router=None if stack.router is None else filler.router(stack.router),
    )


class _Filler:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, text: Text) -> str:
        return fill_variables(compose_string(text), self._values)

    def gpu(self, gpu: Gpu) -> Gpu:
        if gpu.uuid is not None:
            return replace(gpu, uuid=self.text(gpu.uuid))
        index = self.text(text_of(gpu.index))
        return replace(gpu, index=int(index)) if index.isdecimal() else gpu

    def ports(self, ports: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(replace(port, host=self.text(port.host), number=self.text(port.number)) for port in ports)

    def service(self, service: Service) -> Service:
        name = None if service.container_name is None else self.text(service.container_name)
        return replace(service, container_name=name, ports=self.ports(service.ports))

    def tier(self, tier: Tier) -> Tier:
        return replace(tier, gpus=tuple(map(self.gpu, tier.gpus)), service=self.service(tier.service))

    def router(self, router: Router) -> Router:
        name = None if router.container_name is None else self.text(router.container_name)
        return replace(router, container_name=name, ports=self.ports(router.ports))

    def mode(self, mode: Mode, tiers: Mapping[str, Tier]) -> Mode:
        router = None if mode.router is None else self.router(mode.router)
        return replace(mode, tiers=tuple(tiers[tier.name] for tier in mode.tiers), router=router)
