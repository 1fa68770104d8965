"""What runs on a host, compared with what should run: a row for each service, with its drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine import ModelsEndpoint
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.compose import Hashes
from anvil_gen.machine.conflicts import name_conflict, taken_ports
from anvil_gen.machine.containers import Container, ContainerQuery, containers_named, image_digests, images_of
from anvil_gen.machine.engine_metrics import Requests
from anvil_gen.machine.ownership import inventory_of, is_of_another_inventory, stop_command
from anvil_gen.operate.deployment import Deployment, reload_services, services_of, staleness, tier_of
from anvil_gen.operate.drift import Drift, ProjectConfig, image_drift, repeated_failure
from anvil_gen.operate.impairments import Impairments
from anvil_gen.operate.live_numbers import LiveNumbers, live_numbers
from anvil_gen.operate.reach import reachable
from anvil_gen.operate.redact import redaction_of
from anvil_gen.operate.router_drift import reloader_drift, routes_drift
from anvil_gen.operate.running_mode import running_mode
from anvil_gen.resolve.model import Mode, Stack, Tier
from anvil_gen.text.units import parse_duration
from anvil_gen.values import VariableValue

if TYPE_CHECKING:
    from anvil_gen.machine.models_api import Address

ABSENT = "absent"
"""The state of a service without a container."""


class Row(Struct, frozen=True, kw_only=True):
    """One service. ``started_at`` is ISO 8601 in UTC, empty unless it runs."""

    tier: str
    service: str
    container: str
    state: str
    health: str | None
    served_name: str
    models: tuple[str, ...]
    gpus: tuple[str, ...]
    started_at: str
    ports: tuple[str, ...]
    drift: tuple[Drift, ...]
    requests_running: int | None = None  # as its engine tells
    requests_waiting: int | None = None
    gpu_memory: tuple[str, ...] = ()  # used of each of its GPUs, by whatever
    image: tuple[str, ...] = ()  # the id of the image that it was created from, and its digests in registries


class Status(Struct, frozen=True, kw_only=True):
    """The answer of ``anvil-gen status``; ``stale`` is set if the files do not match the inventory."""

    host: str
    project: str
    mode: str
    modes: tuple[str, ...]  # all that the inventory has
    rows: tuple[Row, ...]
    stale: Diagnostic | None

    @property
    def drifts(self) -> bool:
        """Tell whether anything differs from the inventory."""
        return self.stale is not None or any(row.drift for row in self.rows)


class _Queried(Struct, frozen=True, kw_only=True):
    """The answers of Docker, for all rows."""

    deployment: Deployment
    mode: Mode
    by_service: Mapping[str, Container]
    by_name: Mapping[str, Container]
    images: Mapping[str, Mapping[str, Any]]
    hashes: Mapping[str, str]
    files: ProjectConfig
    impairments: Mapping[str, tuple[Drift, ...]]
    models: Mapping[str, tuple[str, ...]]
    numbers: LiveNumbers
    local: bool


def status_of(
    deployment: Deployment, mode: str | None, query: ContainerQuery | None = None, hashes: Hashes | None = None
) -> Status:
    """Return what runs, compared with a mode; without a name, with the mode whose services have the containers.

    Args:
        deployment: the host.
        mode: a mode's name, or None.
        query: the query for the project's containers, if it has started already.
        hashes: the query for the hashes of the default mode, if it has started already.

    Raises:
        DiagnosticError: Docker does not answer, or Compose refuses the files.
    """
    stale = staleness(deployment)
    project, stack = deployment.project, deployment.stack
    chosen = deployment.mode(mode) if mode is not None else None
    query = query or ContainerQuery(project.docker, project.name)
    hashes = hashes or Hashes(project, (chosen or stack.modes[0]).root_file)
    own = (one for one in query.containers() if one.project == project.name and not one.is_unfinished)
    by_service = {one.service: one for one in own if one.service}
    running = chosen or running_mode(stack, by_service)
    impairments = Impairments(deployment, running, by_service)
    local = not project.docker.is_remote
    models = _models(deployment, by_service) if local else {}
    names = set(deployment.container_names) - {one.name for one in by_service.values()}
    by_name = {one.name: one for one in (*by_service.values(), *containers_named(project.docker, names))}
    images = images_of(project.docker, (name for one in by_service.values() for name in (one.image, one.image_id)))
    queried = _Queried(
        deployment=deployment,
        mode=running,
        by_service=by_service,
        by_name=by_name,
        images=images,
        hashes=_hashes(deployment, running, hashes),
        files=ProjectConfig(project, running.root_file),
        impairments=impairments.by_service(),
        models=models,
        numbers=live_numbers(deployment, by_service) if local else LiveNumbers(),
        local=local,
    )
    return Status(
        host=stack.host,
        project=project.name,
        mode=running.title,
        modes=tuple(one.title for one in stack.modes),
        rows=tuple(_rows(queried)),
        stale=stale,
    )


def _hashes(deployment: Deployment, mode: Mode, started: Hashes) -> Mapping[str, str]:
    """Return the hashes of a mode's services; none if Compose refuses files that must be rendered again anyway."""
    try:
        return started.of(mode.root_file).by_service()
    except DiagnosticError:
        if not deployment.stale:
            raise
        return {}


def _models(deployment: Deployment, by_service: Mapping[str, Container]) -> dict[str, tuple[str, ...]]:
    from anvil_gen.machine.models_api import served_models  # noqa: PLC0415  imported while Docker answers

    return served_models(_endpoints(deployment, by_service))


def _endpoints(
    deployment: Deployment, by_service: Mapping[str, Container]
) -> dict[str, tuple[Address, ModelsEndpoint]]:
    endpoints = {}
    for service, one in by_service.items():
        tier = tier_of(deployment.stack, service)
        engine = deployment.host.catalog.engine(tier.engine) if tier is not None else None
        address = reachable(one, tier.container_port) if tier is not None and one.running else None
        if engine is not None and address is not None:
            endpoints[service] = (address, engine.models_endpoint)
    return endpoints


def _rows(queried: _Queried) -> Iterable[Row]:
    stack = queried.deployment.stack
    known = services_of(stack, queried.mode)
    for name, service in known.items():
        tier, one = tier_of(stack, service), queried.by_service.get(service)
        yield _row(queried, name, service, tuple(_drift(queried, service, tier, one)))
    # A service that a template adds to a tier, for instance to pull its model, is in the files and in no mode.
    shown = {*known.values(), *queried.hashes, *reload_services([queried.mode])}
    for service in sorted(queried.by_service.keys() - shown):
        tier = tier_of(stack, service)
        yield _row(queried, tier.name if tier is not None else "", service, (_left_over(queried, service),))


def _left_over(queried: _Queried, service: str) -> Drift:
    deployment, one = queried.deployment, queried.by_service[service]
    if is_of_another_inventory(one, deployment.project.folder):
        detail = f"it belongs to {inventory_of(one.project_folder)} in {one.project_folder}, with the same project"
        return Drift(kind="unknown", detail=detail, remedy=stop_command(deployment.project.docker, one))
    in_another_mode = any(service in services_of(deployment.stack, mode).values() for mode in deployment.stack.modes)
    detail = "it belongs to another mode" if in_another_mode else "it is no longer in the inventory"
    remedy = deployment.project.docker.shell_command("rm", "--force", one.name)
    return Drift(kind="unknown", detail=detail, remedy=remedy)


def _row(queried: _Queried, name: str, service: str, drift: tuple[Drift, ...]) -> Row:
    tier, one = tier_of(queried.deployment.stack, service), queried.by_service.get(service)
    requests = queried.numbers.requests.get(service, Requests())
    return Row(
        tier=name,
        service=service,
        container=one.name if one is not None else "",
        state=one.state if one is not None else ABSENT,
        health=one.health if one is not None and one.running else None,
        served_name=tier.served_name if tier is not None else "",
        models=queried.models.get(service, ()),
        gpus=_gpus(queried.deployment.stack, tier, one),
        started_at=one.started_at if one is not None and one.running else "",
        ports=tuple(f"{host}:{port}" for host, port in one.published) if one is not None else _ports(tier),
        drift=drift,
        requests_running=requests.running,
        requests_waiting=requests.waiting,
        gpu_memory=tuple(_gpu_memory(queried, tier, one)),
        image=image_digests(queried.images.get(one.image_id, {"Id": one.image_id})) if one is not None else (),
    )


def _gpu_memory(queried: _Queried, tier: Tier | None, one: Container | None) -> Iterator[str]:
    """Yield how much of each GPU of a running tier is used, in GiB, of all that it has."""
    for gpu in tier.gpus if tier is not None and one is not None and one.running else ():
        used = queried.numbers.gpu_memory.get(gpu.device_id.casefold())
        if used is not None:
            whole = "" if gpu.memory_mib is None else f"/{gpu.memory_mib / 1024:.1f}"
            yield f"{gpu.name} {used / 1024:.1f}{whole} GiB"


def _ports(tier: Tier | None) -> tuple[str, ...]:
    return tuple(str(port.spec).rpartition(":")[0] for port in tier.service.ports) if tier is not None else ()


def _gpus(stack: Stack, tier: Tier | None, one: Container | None) -> tuple[str, ...]:
    """Return the GPUs that a container was granted; the inventory's if the platform grants none by name."""
    names = {gpu.device_id: gpu.name for each in stack.tiers for gpu in each.gpus}
    if one is not None and one.gpu_ids:
        return tuple(names.get(gpu_id, gpu_id) for gpu_id in one.gpu_ids)
    request = tier.gpu_request if tier is not None and one is not None else None
    return request.words if request is not None else ()


def _drift(queried: _Queried, service: str, tier: Tier | None, one: Container | None) -> Iterable[Drift]:
    host = queried.deployment.stack.host
    again = f"anvil-gen up {_started_by(host, service, tier)}"
    if one is None:
        yield from _conflicts(queried, service, tier, again)
        return
    if not one.running and one.state != "restarting" and queried.local:  # its port may be its own again by now
        yield from _taken_ports(queried, one.published)
    if queried.hashes and one.config_hash != queried.hashes.get(service):
        yield replace(_config_drift(queried, service, one), remedy=again)
    router = queried.mode.router
    if router is not None and router.reloads and router.service == service and one.running:
        reloader = reloader_drift(router, queried.by_service.get(router.reload_service))
        routes = routes_drift(queried.deployment, queried.mode, router, one) if queried.local else None
        yield from (replace(found, remedy=again) for found in (reloader, routes) if found is not None)
    failing = repeated_failure(one, _start_period(tier), datetime.now(UTC))
    if failing is not None:
        yield replace(failing, remedy=f"anvil-gen logs {host} {tier.name if tier is not None else service}")
    yield from queried.impairments.get(service, ())
    moved = image_drift(one, queried.images)
    if moved is not None:
        yield replace(moved, remedy=again)


def _started_by(host: str, service: str, tier: Tier | None) -> str:
    """Return what `up` is told to recreate a service: a rank with all others of its group, which do not survive it."""
    if tier is None:
        return f"{host} {service}"
    return f"{host} {tier.name}" if tier.rank is None else tier.rank.group


def _start_period(tier: Tier | None) -> float:
    """Return a tier's start period in seconds; nothing for one that is a variable, or for what is no tier."""
    period = tier.options.start_period if tier is not None else False
    return 0.0 if not period or isinstance(period, VariableValue) else parse_duration(period)


def _config_drift(queried: _Queried, service: str, one: Container) -> Drift:
    if service not in queried.hashes:  # stale files are reported above the services
        return Drift(kind="config", detail="it is missing from the rendered files")
    return queried.files.drift_of(service, one, redaction_of(queried.deployment.stack, service))


def _conflicts(queried: _Queried, service: str, tier: Tier | None, again: str) -> Iterable[Drift]:
    """Yield what keeps a service without a container from starting: its name or its port is taken.

    ``again`` is the command that starts it, once the name is free.
    """
    router = queried.mode.router
    if tier is not None:
        name, ports = tier.service.container_name, tier.service.ports
    elif router is not None and router.service == service:
        name, ports = router.container_name, router.ports
    else:  # Compose's own keys: `up` checks them if it fails
        return
    other = queried.by_name.get(str(name)) if name is not None else None
    if other is not None and (other.project, other.service) != (queried.deployment.project.name, service):
        conflict = name_conflict(queried.deployment.project.docker, other)
        yield Drift(kind="foreign", detail=conflict.detail, remedy=f"{conflict.command} && {again}")
    elif queried.local:
        numbers = ((port.host, str(port.number)) for port in ports)
        yield from _taken_ports(queried, [(host, int(number)) for host, number in numbers if number.isdigit()])


def _taken_ports(queried: _Queried, addresses: Iterable[tuple[str, int]]) -> Iterator[Drift]:
    for conflict in taken_ports(queried.deployment.project.docker, addresses):
        yield Drift(kind="port", detail=conflict.detail, remedy=conflict.command)
