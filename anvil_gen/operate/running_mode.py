"""The mode that runs, by what has containers: `up` and `status` continue it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anvil_gen.machine.containers import Container
from anvil_gen.operate.deployment import services_of
from anvil_gen.resolve.model import Mode, Stack


def running_mode(stack: Stack, by_service: Mapping[str, Container]) -> Mode:
    """Return the mode that runs: its router's, else the one whose services have the containers.

    What the inventory does not have any more is in none; the default mode is meant where nothing tells.
    """
    modes = [mode for mode in stack.modes if mode.router_file in _router_files(stack, by_service)] or stack.modes
    known = {service for mode in stack.modes for service in services_of(stack, mode).values()}
    have = known & by_service.keys()

    def strangeness(mode: Mode) -> tuple[int, bool]:
        services = set(services_of(stack, mode).values())
        return len(have - services), have != services

    return min(modes, key=strangeness)


def _router_files(stack: Stack, by_service: Mapping[str, Container]) -> Sequence[str | None]:
    """Return the compose file of the routes that run: their container is made anew for each mode."""
    router = stack.router
    service = "" if router is None else router.reload_service if router.reloads else router.service
    one = by_service.get(service)
    return [mode.router_file for mode in stack.modes if one is not None and mode.root_file == one.root_file]
