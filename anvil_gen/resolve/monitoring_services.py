"""The services of `[monitoring]`: further services of the host, which the data of templates/monitoring/ describes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.compose_keys import compose_form, with_image
from anvil_gen.resolve.compose_service import published
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.egress import INTERNAL
from anvil_gen.resolve.gpu_model import GpuRequest
from anvil_gen.resolve.gpu_reservation import reservation_of
from anvil_gen.resolve.model import ExtraService, Router, Tier
from anvil_gen.resolve.monitoring import (
    GPU_SERVICE,
    HOST_SERVICE,
    KEY_FILE,
    gpu_exporters,
    monitoring_options,
    router_key,
)
from anvil_gen.resolve.networks import DEFAULT, declared_by
from anvil_gen.resolve.options import MonitoringOptions
from anvil_gen.resolve.relative_paths import in_tree, moved_keys
from anvil_gen.resolve.uniqueness import is_address
from anvil_gen.values import compose_text, fill, text_of

_SECTION, _FOLDER = "monitoring", "services"
_FILES = {
    "prometheus": ("prometheus.yaml", "rules.yaml"),
    "grafana": ("grafana/", "dashboards/"),
}
"""What of monitoring/ a service mounts; a folder with its slash."""
_LOG = {"driver": "json-file", "options": {"max-size": "50m", "max-file": "3"}}


def build_monitoring_services(
    context: ResolveContext, tiers: tuple[Tier, ...], router: Router | None
) -> tuple[ExtraService, ...]:
    """Return the services of `[monitoring]`; none for a Prometheus that is there already."""
    options = monitoring_options(context)
    if options is None or options.existing:
        return ()
    _check_bind(context, options)
    data = _data(context)
    networks = _networks(tiers, router)
    values = {name: value for name in options if isinstance(value := options.get(name), str)}
    key = router_key(router)
    values |= {"router_key": key or "", "key_file": KEY_FILE}
    found = {
        "prometheus": {
            **data["prometheus"],
            **(data["prometheus-with-key"] if key is not None else {}),
            "ports": _ports(options, "port", 9090),
            "networks": networks,
        },
        "grafana": {**data["grafana"], "ports": _ports(options, "grafana_port", 3000)},
        HOST_SERVICE: _host_metrics(data[HOST_SERVICE], options),
    }
    own = [_service(context, name, _filled({**keys, "logging": _LOG}, values)) for name, keys in found.items()]
    return (*own, *_gpu_services(context, data[GPU_SERVICE]))


def _gpu_services(context: ResolveContext, common: Mapping[str, Any]) -> Iterator[ExtraService]:
    """Yield the exporter of each vendor's GPUs, with the rights that it needs besides those that all have."""
    for vendor, exporter in gpu_exporters(context).items():
        keys = {
            **common,
            "image": exporter.image,
            "command": list(exporter.command),
            "environment": dict(exporter.environment),
            **exporter.rights,
            "logging": _LOG,
        }
        request = GpuRequest(vendor=vendor, count="all") if exporter.needs_gpus else None
        yield _service(context, f"{GPU_SERVICE}-{vendor}", keys, request)


def _check_bind(context: ResolveContext, options: MonitoringOptions) -> None:
    if options.bind is not False and not is_address(options.bind):
        remedy = 'write "127.0.0.1", "0.0.0.0", "all", an address of the host, or false'
        context.collector.add("not-an-ip-address", (_SECTION, "bind"), f'"{options.bind}"', remedy)


def _data(context: ResolveContext) -> Mapping[str, Any]:
    path = f"{_SECTION}/services.toml"
    return Document(context.catalog.roots[-1] / path, display=f"templates/{path}").data


def _service(
    context: ResolveContext, name: str, keys: dict[str, Any], request: GpuRequest | None = None
) -> ExtraService:
    keys = dict(with_image({key: value for key, value in keys.items() if value not in ([], {})}, context.lock))
    keys = moved_keys(keys, in_tree(context, _FOLDER))
    return ExtraService(
        name=name,
        section=_SECTION,
        mapping=compose_form(keys),
        declared=declared_by(context, keys, folder=_FOLDER, whole=True),
        files=(),
        sealed=INTERNAL in keys.get("networks", ()),
        gpus=reservation_of(context, request, ()),
        mounted=tuple(f"{_SECTION}/{file}" for file in _FILES.get(name, ())),
    )


def _ports(options: MonitoringOptions, name: str, target: int) -> list[Any]:
    """Return a port that is published, in the inventory's form: one with a variable is interpolated."""
    specs = [compose_text(port.spec) for port in published(options.bind, text_of(options.get(name)), str(target))]
    return [{"interpolate": spec} if "$" in spec else spec for spec in specs]


def _host_metrics(keys: dict[str, Any], options: MonitoringOptions) -> dict[str, Any]:
    """Return the service that tells the host's memory; without a folder of text files, it mounts nothing."""
    if options.textfile is not None:
        return keys
    command = [argument for argument in keys["command"] if "textfile" not in argument]
    return {**{key: value for key, value in keys.items() if key != "volumes"}, "command": command}


def _networks(tiers: Iterable[Tier], router: Router | None) -> list[str]:
    """Return the networks on which all that is scraped can be reached; none for the default one alone."""
    joined = [tier.service.networks for tier in tiers] + ([router.networks] if router is not None else [])
    names = dict.fromkeys(name for networks in joined for name in (networks or (DEFAULT,)))
    return [] if list(names) in ([DEFAULT], []) else [DEFAULT, *(name for name in names if name != DEFAULT)]


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return data with its placeholders filled in."""
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return fill(value, values) if isinstance(value, str) else value
