"""An inventory that is wrong in each line: how much work its errors take."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from inventories import HUB, faults_of

from anvil_gen.diagnostics import MOST_ERRORS, Diagnostic

HEAD = f'schema = 1\nhfcache.volume = "hub"\n[tiers.fast]\nengine = "vllm"\nmodel = {HUB}\nport = 30001\n'
KINDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "keys of the file": ('schema = 1\nhfcache.volume = "hub"\n', "key{} = 1".format),
    "keys of a tier": (HEAD, "key{} = 1".format),
    "tiers": (HEAD, "[tiers.tier{}]\nengine = 'vlm'".format),
    "flags": (f"{HEAD}[tiers.fast.flags]\n", "flag{} = 1".format),
    "an override": (f"{HEAD}[tiers.fast.override]\n", "key{} = 1".format),
    "secrets": (f"{HEAD}[tiers.fast.environment]\n", "A{}_TOKEN = 'abcdefgh'".format),
    "GPUs": (f"{HEAD}[gpus]\n", 'gpu{} = {{ uuid = "GPU" }}'.format),
    "aliases": (f"{HEAD}[router.aliases]\n", "alias{} = 'nix'".format),
    "modes": (HEAD, "[modes.mode{}]\ntiers = ['nix']".format),
}


def work(text: str, folder: Path) -> tuple[int, tuple[Diagnostic, ...]]:
    """Return how many functions are called until a text's errors are found, and these."""
    profile = cProfile.Profile()
    profile.enable()
    found = faults_of(text, folder)
    profile.disable()
    return sum(entry.callcount for entry in profile.getstats()), found


@pytest.mark.parametrize("kind", KINDS)
def test_work_grows_no_faster_than_an_inventory_that_is_wrong_in_each_line(tmp_path: Path, kind: str) -> None:
    head, line = KINDS[kind]
    few, many = ("".join(f"{line(number)}\n" for number in range(size)) for size in (1000, 5000))
    once, _ = work(head + few, tmp_path)
    five_times, found = work(head + many, tmp_path)

    assert five_times <= 5 * once
    assert [diagnostic.severity for diagnostic in found].count("error") == MOST_ERRORS
    assert (found[-1].code, found[-1].severity) == ("too-many-errors", "warning")


def test_a_list_that_is_wrong_in_each_item_ends_as_well(tmp_path: Path) -> None:
    once, _ = work(f"{HEAD}gpus = [{'1,' * 1000}]\n", tmp_path)
    five_times, found = work(f"{HEAD}gpus = [{'1,' * 5000}]\n", tmp_path)

    assert five_times <= 5 * once
    assert len(found) == MOST_ERRORS + 1


def test_errors_that_look_the_same_end_as_well(tmp_path: Path) -> None:
    """Keys in the place of digests are not shown, and neither are their clients: they are one error."""

    def clients(count: int) -> str:
        return f"{HEAD}[router.api_key_sha256]\n" + "".join(f'k{number} = "s3cret"\n' for number in range(count))

    once, _ = work(clients(1000), tmp_path)
    five_times, found = work(clients(5000), tmp_path)

    assert five_times <= 5 * once
    assert [one.code for one in found] == ["invalid-form", "too-many-errors"]


def test_work_grows_no_faster_than_the_clients_of_a_router(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        clients = "".join(f'k{number} = "KEY_{number}"\n' for number in range(count))
        began = process_time()
        assert faults_of(f"{HEAD}[router.api_key_env]\n{clients}", tmp_path) == ()
        return process_time() - began

    seconds(1)
    assert any(seconds(12000) <= 16 * seconds(1500) for _ in range(3))


def test_files_take_no_more_than_their_number(tmp_path: Path) -> None:
    def inventory(size: int) -> str:
        return f"{HEAD}[tiers.fast.files]\n" + "".join(f'"/f{number}" = "box.toml"\n' for number in range(size))

    work(inventory(1), tmp_path)
    once, _ = work(inventory(100), tmp_path)
    ten_times, found = work(inventory(1000), tmp_path)

    assert found == ()
    assert ten_times <= 10 * once


@pytest.mark.parametrize("fault", ["", "port = 30000\n", "nix = 1\n"])
def test_work_grows_no_faster_than_the_tiers_of_a_router(tmp_path: Path, fault: str) -> None:
    """Valid ones, or all but the last: each is looked at once, and not once for each other one."""

    def inventory(size: int) -> str:
        tier = '[tiers.tier{0}]\nengine = "vllm"\nmodel = {1}\nhealthcheck.retries = 3\n'
        tiers = [f"{tier.format(number, HUB)}port = {30000 + number}\n" for number in range(size)]
        tiers[-1] = tiers[-1].partition("port")[0] + (fault or "port = 29999\n")
        return f'schema = 1\nhfcache.volume = "hub"\nrouter.api_key_env = "KEY"\n{"".join(tiers)}'

    work(inventory(1), tmp_path)
    once, _ = work(inventory(80), tmp_path)
    five_times, found = work(inventory(400), tmp_path)

    assert five_times <= 5 * once
    assert [diagnostic.severity for diagnostic in found].count("error") == bool(fault)
