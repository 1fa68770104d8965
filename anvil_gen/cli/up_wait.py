"""What ``anvil-gen up --wait`` does once Compose has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.progress import ProgressDisplay, show_interrupted, show_waited, waited_json
from anvil_gen.cli.views.services import show_results
from anvil_gen.deploy.starts import remember_starts
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.machine.usage import usage_of
from anvil_gen.operate.downloads import downloads_of
from anvil_gen.operate.readiness import Progress
from anvil_gen.operate.service_results import ServiceAction
from anvil_gen.operate.standstill import Standstill
from anvil_gen.operate.up import UpResult
from anvil_gen.operate.wait import (
    Waited,
    check_once,
    impairment_warnings,
    logs_of,
    observer_of,
    readiness_errors,
    servers_of,
    wait,
)


def wait_and_report(
    up: UpResult,
    causes: Sequence[Diagnostic],
    *,
    timeout: float | None,
    as_json: bool,
    tell: Callable[..., None] | None = None,
) -> ExitCode:
    """Wait until all started services are ready, and report how that ended; JSON is printed, or given to ``tell``.

    Where Compose has failed, because of ``causes``, there is nothing to wait for: what it has left is checked once.
    """
    host = up.deployment.stack.host
    if not as_json:
        show_results(host, up.results, as_json=False)
    present = [one.service for one in up.results if one.action not in (ServiceAction.REMOVED, ServiceAction.MISSING)]
    if up.services:  # the exit code is theirs alone
        present = [service for service in present if service in up.services]
    router = up.mode.router
    present += [router.reload_service] if router is not None and router.reloads and router.service in present else []
    logs = logs_of(up.deployment, up.mode, present)
    display, observer = ProgressDisplay(), observer_of(up.deployment)
    downloads = downloads_of(up.deployment.host, up.mode.tiers)
    standstill = Standstill(logs, partial(usage_of, up.deployment.project.docker))

    def show(services: tuple[Progress, ...]) -> None:
        described = standstill.describe(downloads.describe(services))
        display.show(described)
        for service, hang in standstill.hints(described):
            display.note(f"{service} may hang: {hang.cause} ({hang.source})\n  {hang.remedy}")

    servers = servers_of(up.mode)
    waited = (
        check_once(logs, up.before, observer, servers)
        if up.code
        else wait(logs, up.before, observer, timeout=timeout, show=show, servers=servers)
    )
    if waited.outcome == "ready":
        remember_starts(up.deployment.project.folder, _starts(up, waited))
    diagnostics = [*readiness_errors(waited, host, up.mode.name), *impairment_warnings(waited)]
    if as_json:
        (tell or print_json)(**waited_json(host, up.results, waited, [*causes, *diagnostics]))
    if waited.outcome == "interrupted":
        show_interrupted(host)
        return ExitCode.INTERRUPTED
    if not as_json:
        if not up.code:  # otherwise nothing was waited for
            show_waited(waited)
        show_diagnostics(diagnostics, as_json=False)
    return ExitCode.OK if waited.outcome == "ready" else ExitCode.ERROR


def _starts(up: UpResult, waited: Waited) -> dict[str, float]:
    """Return how long the services took that were started just now."""
    begun = (ServiceAction.CREATED, ServiceAction.RECREATED, ServiceAction.STARTED)
    started = {one.service for one in up.results if one.action in begun}
    return {one.service: one.seconds for one in waited.services if one.service in started}
