"""The cards of a machine, as its programs and its kernel tell them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from e2e.cards import DRIVER_VERSION
from e2e.cards import Card as Pretended
from fake_machine import kernel, no_programs, nvidia, programs

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.gpu_vendor import Vendor
from anvil_gen.machine.gpus import DetectedGpu, GpuListing, list_gpus
from anvil_gen.machine.subprocesses import Answer, Run

BIG = Pretended("GPU-d0f446cf-1771-414c-e116-a39138798a8c", "NVIDIA RTX PRO 6000, 96 GB", 97887)
SHARED = Pretended("GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1", "NVIDIA GB10", 0, "12.1")
SLICES = """\
GPU 0: NVIDIA A100 (UUID: GPU-d0f446cf-1771-414c-e116-a39138798a8c)
  MIG 3g.20gb     Device  0: (UUID: MIG-04d3b6e7-5691-3e86-1d34-c37999440cf1)
"""


def listed(vendor: str, *, run: Run = no_programs, root: Path = Path("/nowhere")) -> GpuListing:
    """Return what the shipped data of a vendor finds."""
    data = Catalog().vendor(vendor)
    assert data is not None
    return list_gpus(vendor, data, run=run, root=root)


def test_cards_that_a_program_lists() -> None:
    first, second = listed("nvidia", run=nvidia(BIG, SHARED)).gpus

    assert first == DetectedGpu(
        vendor="nvidia",
        uuid=BIG.uuid,
        index=0,
        name=BIG.name,
        memory_mib=97887,
        compute_capability="12.0",
        driver=DRIVER_VERSION,
    )
    assert (second.index, second.memory_mib, second.compute_capability) == (1, None, "12.1")


def test_slices_and_cards_of_an_old_driver() -> None:
    def run(command: object) -> Answer:
        if "-L" in command:  # type: ignore[operator]
            return Answer(code=0, stdout=SLICES)
        return Answer(code=2, stdout='Field "compute_cap" is not a valid field to query.\n')

    found = listed("nvidia", run=run)

    assert [(card.uuid, card.name, card.memory_mib) for card in found.gpus] == [
        ("GPU-d0f446cf-1771-414c-e116-a39138798a8c", "NVIDIA A100", None),
        ("MIG-04d3b6e7-5691-3e86-1d34-c37999440cf1", "MIG 3g.20gb     Device  0", None),
    ]
    assert found.diagnostic == ""


@pytest.mark.parametrize(
    ("answer", "diagnostic"),
    [
        (Answer(stderr="there is no such program here"), "`nvidia-smi`: there is no such program here"),
        (Answer(code=9, stdout="NVIDIA-SMI has failed\nMake sure\n"), "`nvidia-smi`: NVIDIA-SMI has failed"),
        (Answer(code=6), "`nvidia-smi`: exit code 6"),
        (Answer(code=0, stdout="what is this\n, , ,\n"), ""),
    ],
)
def test_why_there_are_none(answer: Answer, diagnostic: str) -> None:
    assert listed("nvidia", run=programs({"nvidia-smi": answer})) == GpuListing(vendor="nvidia", diagnostic=diagnostic)


def test_cards_that_the_kernel_lists(tmp_path: Path) -> None:
    drm = "sys/class/drm"
    root = kernel(
        tmp_path,
        {
            f"{drm}/card0/device/vendor": "0x8086\n",
            f"{drm}/card1/device/vendor": "0x1002\n",
            f"{drm}/card1/device/unique_id": "1a2b3c4d5e6f7a8b\n",
            f"{drm}/card1/device/product_name": "Radeon PRO W7900\n",
            f"{drm}/card1/device/mem_info_vram_total": "48301604864\n",
            f"{drm}/card2/device/vendor": "0x1002\n",
            f"{drm}/card2/device/unique_id": "0\n",
        },
    )
    (root / drm / "card1-DP-1").mkdir()

    with_name, without = listed("amd", root=root).gpus
    assert with_name == DetectedGpu(
        vendor="amd", uuid="GPU-1a2b3c4d5e6f7a8b", index=0, name="Radeon PRO W7900", memory_mib=46064
    )
    assert (without.uuid, without.memory_mib) == ("1", None)
    assert [card.uuid for card in listed("intel", root=root).gpus] == ["0"]


def test_a_card_is_found_by_its_uuid_or_number() -> None:
    cards = (DetectedGpu(vendor="v", uuid="GPU-AB", index=0), DetectedGpu(vendor="v", uuid="1", index=1))
    found = GpuListing(vendor="v", gpus=cards)

    assert [found.find(name) for name in ("gpu-ab", "0", "1", "2", "GPU-")] == [cards[0], *cards, None, None]


@pytest.mark.parametrize("name", Catalog().names("gpus"))
def test_every_vendor_can_be_listed_and_says_what_to_do_where_nothing_is(name: str) -> None:
    vendor = Catalog().vendor(name)
    assert isinstance(vendor, Vendor)
    platforms = {"linux", "wsl2"} - set(vendor.unsupported)

    assert vendor.listing or vendor.devices
    assert set(vendor.driver) == platforms
    assert vendor.runtime is not None
    assert set(vendor.runtime.install) == platforms


def test_a_jetsons_uuid_has_no_prefix_and_its_memory_is_the_machines() -> None:
    uuid = "54b0e5d0-1771-414c-e116-a39138798a8c"

    def run(command: Sequence[str]) -> Answer:
        text = f"GPU 0: Orin (nvgpu) (UUID: {uuid})\n" if "-L" in command else "Field compute_cap is not valid\n"
        return Answer(code=0, stdout=text)

    (found,) = listed("nvidia", run=run).gpus
    assert (found.uuid, found.memory_mib, found.is_integrated) == (uuid, None, True)


@pytest.mark.parametrize(
    ("listing", "uuids"),
    [
        ("GPU 0: Orin (nvgpu) (UUID: [N/A])\n", ["0"]),
        ("GPU 0: Old (UUID: [N/A])\nGPU 1: Old (UUID: [N/A])\n", ["0", "1"]),
        ("GPU 0: Orin\n", []),
    ],
)
def test_cards_without_a_uuid_are_pinned_by_their_index(listing: str, uuids: list[str]) -> None:
    def run(command: Sequence[str]) -> Answer:
        return Answer(code=0, stdout=listing if "-L" in command else "[N/A], Orin, [N/A], 8.7, 540.4\n")

    found = listed("nvidia", run=run)

    assert [card.uuid for card in found.gpus] == uuids
    assert [found.find(uuid) for uuid in uuids] == [*found.gpus]
