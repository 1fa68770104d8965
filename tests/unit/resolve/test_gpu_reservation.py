"""How a service asks for GPUs, in each form and however they are named."""

from __future__ import annotations

import pytest
from contexts import context_of, server_of
from inventories import UUID_A

from anvil_gen.resolve.gpu_reservation import gpu_environment, reservation_of

GPUS = f"""\
gpus.a = {{ uuid = "{UUID_A}" }}
gpus.b = {{ index = 1 }}
gpus.red = {{ vendor = "amd", index = 1 }}
gpus.old = {{ vendor = "amd", uuid = "0" }}
gpus.blue = {{ vendor = "intel", index = 0 }}
"""
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def asked(host: str, gpus: str, *, only: str = "") -> tuple[tuple[object, ...], dict[str, object]]:
    """Return a service's reservation as driver, runtime, ids and count, and its environment."""
    text = "\n".join(line for line in GPUS.splitlines() if not only or only in line)
    context = context_of(f"{text}\nhost = {{ {host} }}\ntiers.one = {{ engine = 'llamacpp', gpus = {gpus} }}")
    request = server_of(context).gpu_request
    assert request is not None
    ids = tuple(gpu.device_id for gpu in request.gpus)
    found = reservation_of(context, request, ids)
    assert found is not None
    environment: dict[str, object] = {
        variable.name: variable.value for variable in gpu_environment(context, request, ids)
    }
    return (found.driver, found.runtime, found.device_ids, found.count), environment


@pytest.mark.parametrize(
    ("form", "gpus", "reservation", "environment"),
    [
        ("reservation", "['a']", ("nvidia", "", (UUID_A,), None), {}),
        ("reservation", "['b']", ("nvidia", "", ("1",), None), {}),
        ("reservation", "['a', 'b']", ("nvidia", "", (UUID_A, "1"), None), {}),
        ("reservation", "'all'", ("nvidia", "", (), "all"), {}),
        ("reservation", "2", ("nvidia", "", (), 2), {}),
        ("cdi", "['a']", ("cdi", "", (f"nvidia.com/gpu={UUID_A}",), None), {}),
        ("cdi", "['b']", ("cdi", "", ("nvidia.com/gpu=1",), None), {}),
        ("cdi", "'all'", ("cdi", "", ("nvidia.com/gpu=all",), None), {}),
        # Docker refuses a count of CDI devices, and takes one of others for the first ones.
        ("cdi", "2", ("cdi", "", ("nvidia.com/gpu=0", "nvidia.com/gpu=1"), None), {}),
        ("runtime", "['a', 'b']", ("", "nvidia", (UUID_A, "1"), None), {"NVIDIA_VISIBLE_DEVICES": f"{UUID_A},1"}),
        ("runtime", "'all'", ("", "nvidia", ("all",), None), {"NVIDIA_VISIBLE_DEVICES": "all"}),
        ("runtime", "2", ("", "nvidia", ("0", "1"), None), {"NVIDIA_VISIBLE_DEVICES": "0,1"}),
    ],
)
def test_nvidia(form: str, gpus: str, reservation: tuple[object, ...], environment: dict[str, object]) -> None:
    found = asked(f"gpu_request = '{form}'", gpus, only="" if gpus.startswith("[") else "gpus.a")

    assert found == (reservation, {**ORDER, **environment})


@pytest.mark.parametrize(
    ("gpus", "pinned"),
    [
        ("['a']", UUID_A),
        # An index starts again at 0 inside of the container: as a pin it would hide the GPU.
        ("['b']", None),
        ("['a', 'b']", None),
        ("'all'", None),
        ("1", None),
    ],
)
@pytest.mark.parametrize("form", ["reservation", "cdi", "runtime"])
def test_an_engine_is_pinned_by_uuid_alone(form: str, gpus: str, pinned: str | None) -> None:
    only = "" if gpus.startswith("[") else "gpus.a"
    _, environment = asked(f"gpu_request = '{form}', platform = 'wsl2'", gpus, only=only)

    assert environment.get("CUDA_VISIBLE_DEVICES") == pinned


@pytest.mark.parametrize(
    ("gpus", "only", "environment"),
    [
        ("['red']", "", {"ROCR_VISIBLE_DEVICES": "1"}),
        ("['old', 'red']", "", {"ROCR_VISIBLE_DEVICES": "0,1"}),
        ("'all'", "amd", {}),
        ("2", "amd", {"ROCR_VISIBLE_DEVICES": "0,1"}),
        ("['blue']", "", {"ZE_AFFINITY_MASK": "0"}),
        ("1", "intel", {"ZE_AFFINITY_MASK": "0"}),
        ("'all'", "intel", {}),
    ],
)
def test_where_the_devices_are_passed_on_the_engine_is_pinned(
    gpus: str, only: str, environment: dict[str, object]
) -> None:
    (driver, runtime, _, count), found = asked("", gpus, only=only)

    assert (driver, runtime, count) == ("", "", None)
    assert found == environment
