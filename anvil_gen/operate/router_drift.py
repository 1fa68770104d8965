"""Whether a router runs the routes that are on disk, as it says itself: the container is the same either way."""

from __future__ import annotations

import json
from typing import Any

from anvil_gen.diagnostics import join_words
from anvil_gen.machine.containers import Container
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.reach import reachable
from anvil_gen.resolve.model import Mode, Router
from anvil_gen.resolve.router_model import HEALTH_FILE, digested_by, path_of_mode
from anvil_gen.text_files import read_text


def routes_drift(deployment: Deployment, mode: Mode, router: Router, one: Container) -> Drift | None:
    """Return how a running router's routes differ from a mode's files; None where they do not, or it is silent."""
    from anvil_gen.machine.models_api import get_json  # noqa: PLC0415  imported while Docker answers

    address = reachable(one, router.port)
    running = get_json(address, "/health", tls=router.limits.tls is not None) if address is not None else None
    wanted = _health_on_disk(deployment, mode)
    if not isinstance(running, dict) or not wanted:
        return None
    names = (name for name in {**wanted, **running} if running.get(name) != wanted.get(name))
    differing = [digested_by(name) or name for name in names]
    if not differing:
        return None
    others = (other for other in deployment.stack.modes if _health_on_disk(deployment, other) == running)
    other = next(others, None)
    whose = f"of the mode {other.title}" if other is not None else "of an earlier render"
    detail = f"the router still runs the routes {whose}; others now: {join_words(differing, limit=4)}"
    return Drift(kind="routes", detail=detail)


def reloader_drift(router: Router, reloader: Container | None) -> Drift | None:
    """Return that what reloads a running router is not there; None where it is, or is about to start again.

    After a restart of the daemon Docker may start it before the router, which fails, and does not try again.
    """
    if reloader is not None and (reloader.running or reloader.state == "restarting"):
        return None
    return Drift(kind="routes", detail=f"{router.reload_service} does not run: no change of routes reaches the router")


def _health_on_disk(deployment: Deployment, mode: Mode) -> dict[str, Any]:
    own = mode.router_file != deployment.stack.modes[0].router_file
    file = deployment.project.folder / (path_of_mode(HEALTH_FILE, mode.name) if own else HEALTH_FILE)
    try:
        found = json.loads(read_text(file, below=deployment.project.folder))
    except (OSError, ValueError):  # a file that is not there, or is edited, is reported as stale
        return {}
    return found if isinstance(found, dict) else {}
