"""The GPUs of a compose service: a reservation as a tier's `gpus`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.importing.names import free_name
from anvil_gen.importing.texts import has_variable, plain, typed, whole
from anvil_gen.machine.gpus import DetectedGpu
from anvil_gen.patterns import lazy_pattern

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_UUID = lazy_pattern(r"(?:GPU-|MIG-)[0-9a-fA-F-]+|MIG-GPU-[0-9a-fA-F-]+/[0-9]+/[0-9]+")


class GpuNames(Struct, kw_only=True):
    """`[gpus]` as it grows: each GPU of the source under one name; ``known`` are UUIDs of this host by index."""

    tables: dict[str, dict[str, Any]] = {}
    known: Mapping[int, str] = {}
    driver: str = ""  # of a reservation that names these GPUs

    def name_of(self, device: str, service: str) -> str:
        """Return the name of a device id.

        Raises:
            ValueError: nothing in `[gpus]` can say it.
        """
        table, index = self._table(device), plain(device)
        for name, other in self.tables.items():
            if other == table:
                return name
        name = self._free_name(table, int(index) if re.fullmatch("[0-9]", index) else -1, service)
        self.tables[name] = table
        return name

    def _table(self, device: str) -> dict[str, Any]:
        text = plain(device)
        if re.fullmatch("[0-9]{1,2}", text):
            index = typed(device, whole)
            if isinstance(index, int) and index in self.known:
                return {"uuid": self.known[index]}
            return {"index": index}
        if not _UUID.fullmatch(text):
            raise ValueError(device)
        return {"uuid": typed(device, str) if has_variable(device) else text}

    def _free_name(self, table: Mapping[str, Any], index: int, service: str) -> str:
        by_number = isinstance(table.get("index"), int) or table.get("uuid") in self.known.values()
        if by_number and 0 <= index < len(_ORDINALS):
            name = _ORDINALS[index]
        else:
            reference = next(iter(table.values()))
            name = str(reference.get("env", service)).lower() if isinstance(reference, Mapping) else f"gpu-{service}"
        name = re.sub("[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "gpu"
        return free_name(name, self.tables)


def facts_of(gpu: DetectedGpu, memory_mib: int | None, reserve_mib: int = 0) -> dict[str, int | str]:
    """Return what `[gpus]` says of a GPU besides its UUID; what is not known is left out."""
    facts = {
        "memory_mib": memory_mib,
        "reserve_mib": reserve_mib,
        "compute_capability": gpu.compute_capability,
    }
    return {key: value for key, value in facts.items() if value}


def take_reservation(service: dict[str, Any], name: str, gpus: GpuNames) -> dict[str, Any]:
    """Take the GPUs that a service asks for out of it, where `gpus` says them; return that field, or none."""
    reserved_devices, short = _at(service, "deploy", "resources", "reservations", "devices"), service.get("gpus")
    if (short is None) == (reserved_devices is None):
        return {}
    devices = reserved_devices if short is None else requested_devices(short)
    if not isinstance(devices, list) or len(devices) != 1 or not _is_plain(devices[0], gpus.driver):
        return {}
    try:
        value = _value(devices[0], name, gpus)
    except ValueError:
        return {}
    if short is None:
        _take_out(service)
    else:
        del service["gpus"]
    return {"gpus": value}


def requested_devices(short: Any) -> Any:
    """Return what Compose's `gpus` asks for, as the devices of a reservation."""
    if short == "all":
        return [{"capabilities": ["gpu"], "count": -1}]
    entries = short if isinstance(short, list) else []
    return [{"capabilities": ["gpu"], **one} if isinstance(one, dict) else one for one in entries]


def with_one_request(service: dict[str, Any], gpus: GpuNames) -> dict[str, Any]:
    """Return a canonical service with all GPUs that it asks for in one form: reserved, of a driver, by UUID if known.

    Docker is asked the same by `gpus` as by a reservation, and takes the driver that has GPUs where none is named.
    """
    devices = [*(_at(service, "deploy", "resources", "reservations", "devices") or ())]
    devices += requested_devices(service.get("gpus"))
    if not devices:
        return service
    one_form = [_in_one_form(device, gpus) for device in devices]
    deploy = service.get("deploy") or {}
    resources = deploy.get("resources") or {}
    reservations = {**(resources.get("reservations") or {}), "devices": one_form}
    found = {key: value for key, value in service.items() if key != "gpus"}
    return {**found, "deploy": {**deploy, "resources": {**resources, "reservations": reservations}}}


def _in_one_form(device: dict[str, Any], gpus: GpuNames) -> dict[str, Any]:
    found = {"driver": gpus.driver, **device} if device.get("capabilities") == ["gpu"] else dict(device)
    if "device_ids" in found:
        uuids = {str(index): uuid for index, uuid in gpus.known.items()}
        found["device_ids"] = [uuids.get(one, one) for one in found["device_ids"]]
    return found


def _is_plain(device: Any, driver: str) -> bool:
    """Tell whether a device is a GPU; without a driver, Docker takes the one that has GPUs."""
    return (
        isinstance(device, dict)
        and device.get("driver", driver) == driver
        and device.get("capabilities") == ["gpu"]
        and device.keys() <= {"driver", "capabilities", "count", "device_ids"}
    )


def _value(device: Mapping[str, Any], name: str, gpus: GpuNames) -> Any:
    ids = device.get("device_ids")
    if ids is not None:
        if not isinstance(ids, list) or not ids or "count" in device:
            raise ValueError(name)
        names = [gpus.name_of(str(one), name) for one in ids]
        if len(set(names)) < len(names):
            raise ValueError(name)
        return names
    count = device.get("count")
    if count is None or count in ("all", -1):
        return "all"
    value = typed(str(count), whole)
    if value == 0:
        raise ValueError(name)
    return value


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _take_out(service: dict[str, Any]) -> None:
    """Remove the devices from a service, and the tables that have nothing else."""
    deploy = service.pop("deploy")
    resources = deploy["resources"]
    reservations = {key: value for key, value in resources["reservations"].items() if key != "devices"}
    rest = {key: value for key, value in resources.items() if key != "reservations"}
    rest |= {"reservations": reservations} if reservations else {}
    whole_rest = {key: value for key, value in deploy.items() if key != "resources"}
    whole_rest |= {"resources": rest} if rest else {}
    if whole_rest:
        service["deploy"] = whole_rest


def reserved(service: Mapping[str, Any], driver: str) -> bool:
    """Tell whether a service asks for GPUs, in whatever form."""
    devices = service.get("devices") or ()
    by_device = any("/dev/kfd" in str(one) or "/dev/dri" in str(one) or "nvidia.com/" in str(one) for one in devices)
    by_request = _at(service, "deploy", "resources", "reservations", "devices") or service.get("gpus")
    return bool(by_request) or by_device or service.get("runtime") == driver
