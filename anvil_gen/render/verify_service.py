"""What a compose file must say, going by the model's own fields: whatever a template leaves out shows here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.resolve.model import ExtraService, Mount, Router, Service
from anvil_gen.values import ComposeText, KeyPath, Text, compose_text, escape_dollars

_RESERVED: KeyPath = ("deploy", "resources", "reservations", "devices")


def missing_keys(catalog: Catalog, kind: str, model: Any, data: Any) -> Iterator[KeyPath]:
    """Yield keys of what the model says of a service and the parsed file does not.

    Args:
        catalog: tells what a vendor's reservation holds.
        kind: of the model: "service", "router" or "extra".
        model: a `Service`, `Router` or `ExtraService`, or a stand-in for one.
        data: the parsed file.
    """
    yield from _KINDS[kind](catalog, model, data)


def _form(text: Text | None) -> str | None:
    """Return a text as a parsed compose file has it."""
    if text is None or isinstance(text, ComposeText):
        return text
    return escape_dollars(text) if isinstance(text, str) else compose_text(text)


def _environment(service: Service) -> dict[str, Any]:
    return {variable.name: _form(variable.value) for variable in service.environment}


def _mount(mount: Mount) -> dict[str, Any]:
    said = {
        "type": "volume" if mount.volume else "bind",
        "source": _form(mount.source),
        "target": _form(mount.target),
    }
    return {**said, "read_only": True} if mount.read_only and not mount.volume else said


def _health(service: Service) -> dict[str, Any] | None:
    health = service.health
    if health is None:
        return None
    return {
        "test": [_form(part) for part in health.test],
        "retries": health.retries,
        "interval": _form(health.interval),
    }


# Key of a service -> what the model says of it; None where it says nothing. A list stands as it is, of a mapping a
# template may add to the entries.
_SERVICE: dict[str, Callable[[Service], Any]] = {
    "container_name": lambda service: _form(service.container_name),
    "image": lambda service: _form(service.image),
    "restart": lambda service: _form(service.restart),
    "entrypoint": lambda service: [_form(part) for part in service.entrypoint],
    "command": lambda service: " ".join(service.words) or [_form(part) for part in service.command],
    "environment": _environment,
    "ports": lambda service: [_form(port.spec) for port in service.ports],
    "networks": lambda service: ["internal"] if service.sealed else None,
    "healthcheck": _health,
    "labels": lambda service: {name: _form(value) for name, value in service.labels},
}


def _unsaid_of_service(catalog: Catalog, service: Service, data: Any) -> Iterator[KeyPath]:
    said = _service(data, service.name)
    if said is None:
        yield ()
        return
    for key, expected in _SERVICE.items():
        want = expected(service)
        if key not in service.override and want is not None and not _says(said.get(key, type(want)()), want):
            yield (key,)
    if "volumes" not in service.override and not all(_among(said.get("volumes"), _mount(m)) for m in service.mounts):
        yield ("volumes",)
    if "deploy" not in service.override and not _reserves(catalog, service, said):
        yield _RESERVED
    if not _says(said, service.override):
        yield ()


def _reserves(catalog: Catalog, service: Service, said: Any) -> bool:
    """Tell whether a service reserves its cards, where their vendor reserves them by name."""
    if service.gpus is None:
        return True
    template = catalog.find(f"gpus/{service.gpus.vendor}/reservation.yml.j2")
    if template is None or "device_ids" not in template.read_text("utf-8"):
        return True
    for part in _RESERVED:
        said = said.get(part) if isinstance(said, dict) else None
    return _among(said, {"device_ids": [_form(uuid) for uuid in service.gpus.uuids]})


def _unsaid_of_router(_: Catalog, router: Router, data: Any) -> Iterator[KeyPath]:
    said = _service(data, router.service)
    if said is None or not _says(said, router.override):
        yield ()
    elif "image" not in router.override:
        wrong = (
            said.get("image") != _form(router.image)
            if router.image is not None
            else not said.keys() & {"image", "build"}
        )
        if wrong:
            yield ("image",)


def _unsaid_of_extra(_: Catalog, extra: ExtraService, data: Any) -> Iterator[KeyPath]:
    said = _service(data, extra.name)
    if said is None or not _says(said, extra.mapping):
        yield ()


_KINDS: dict[str, Callable[[Catalog, Any, Any], Iterator[KeyPath]]] = {
    "service": _unsaid_of_service,
    "router": _unsaid_of_router,
    "extra": _unsaid_of_extra,
}


def _service(data: Any, name: str) -> dict[str, Any] | None:
    services = data.get("services") if isinstance(data, dict) else None
    service = services.get(name) if isinstance(services, dict) else None
    return service if isinstance(service, dict) else None


def _among(items: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(items, list) and any(_says(item, wanted) for item in items)


def _says(got: Any, want: Any) -> bool:
    """Tell whether parsed data is what was wanted; a mapping may have more entries."""
    if isinstance(want, Mapping):
        return isinstance(got, dict) and all(key in got and _says(got[key], item) for key, item in want.items())
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(_says, got, want))
    return (got == want and isinstance(got, bool) == isinstance(want, bool)) or (got != got and want != want)  # noqa: PLR0124
