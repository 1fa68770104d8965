"""GPUs by UUID, by index and without names: what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, UUID_B, Fault, compared, faults_of

HEAD = 'schema = 1\nhfcache.volume = "hub"\n'
TIER = f'engine = "vllm", model = {HUB}'
SGLANG = f'engine = "sglang", model = {HUB}'
LLAMA = f'engine = "llamacpp", model = {HUB}'
NAMELESS = ("GPUs without names", "tiers.one.gpus", "name the GPUs in [gpus]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"gpus.a = {{ index = ▸0 }}\ntiers.one = {{ {TIER}, gpus = ['a'] }}",
            [("GPU by index", "gpus.a.index", "write its uuid instead: `nvidia-smi -L`")],
        ),
        # Intel's GPUs have nothing better than their number.
        (
            f"gpus.a = {{ index = 0, vendor = 'intel' }}\ntiers.one = {{ {LLAMA}, gpus = ['a'] }}",
            [],
        ),
        (
            f"gpus.▸a = {{ memory_mib = 1 }}\ntiers.one = {{ {TIER}, gpus = ['a'] }}",
            [("missing key", "gpus.a", "where it has none, index = 0")],
        ),
        (
            f"gpus.a = {{ uuid = '{UUID_A}', ▸index = 0 }}\ntiers.one = {{ {TIER}, gpus = ['a'] }}",
            [("two fields for one thing", "gpus.a.index", "keep the uuid")],
        ),
        (
            f"gpus.a = {{ index = 1 }}\ngpus.b = {{ index = ▸1 }}\ntiers.one = {{ {TIER} }}",
            [("UUID taken twice", "gpus.b.index", "each GPU has its own")],
        ),
        (f"gpus.a.index = ▸-1\ntiers.one = {{ {TIER} }}", [("number out of range", "gpus.a.index", "For example: 0")]),
        (f"tiers.one = {{ {TIER}, gpus = ▸'all' }}", [NAMELESS]),
        # One warning for a host, however many tiers there are.
        (
            f"tiers.one = {{ {TIER}, gpus = ▸1 }}\ntiers.two = {{ {TIER}, port = 9000, gpus = 'all' }}",
            [NAMELESS],
        ),
        (
            f"gpus.a = {{ vendor = 'amd', uuid = '0' }}\ngpus.b = {{ vendor = 'intel', uuid = '0' }}\n"
            f"tiers.one = {{ {LLAMA}, gpus = ▸'all' }}",
            [("GPUs of two vendors", "tiers.one.gpus", "name those that it takes")],
        ),
        # Of two vendors, the engine runs on one.
        (
            f"gpus.a = {{ vendor = 'intel', uuid = '0' }}\ngpus.b.uuid = '{UUID_A}'\n"
            f"tiers.one = {{ {SGLANG}, gpus = ▸1 }}",
            [NAMELESS],
        ),
        (
            f"gpus.a = {{ vendor = 'intel', uuid = '0' }}\ntiers.one = {{ {SGLANG}, gpus = ▸1 }}",
            [("not for this engine", "tiers.one.gpus", "take another GPU")],
        ),
        (
            f"tiers.one = {{ {TIER}, gpu_memory = ▸'2GiB', gpus = 2 }}",
            [("share of a GPU cannot be computed", "tiers.one.gpu_memory", "with their memory_mib in [gpus], or")],
        ),
        (
            "tiers.▸one = { engine = 'tei', task = 'embedding', model = { repo = 'a/b' }, gpus = 1 }",
            [("no image for this GPU", "tiers.one", "with their compute_capability in [gpus], or set image")],
        ),
        (
            f"host.gpu_request = ▸'cdi'\ngpus.a = {{ vendor = 'amd', uuid = '0' }}\n"
            f"tiers.one = {{ {LLAMA}, gpus = ['a'] }}\n"
            f"tiers.two = {{ {LLAMA}, port = 9000, gpus = ['a'], standby = true }}",
            [("not for this vendor", "host.gpu_request", "write one of: reservation")],
        ),
        (
            f"host.gpu_request = 'cdi'\ntiers.one = {{ {TIER}, gpus = ▸{{ env = 'N', default = 2 }} }}",
            [("variable where a value is needed", "tiers.one.gpus", "write the number")],
        ),
        (
            f"host.gpu_request = ▸'gpus'\ntiers.one = {{ {TIER} }}",
            [("not one of the choices", "host.gpu_request", 'For example: "cdi"')],
        ),
    ],
)
def test_what_is_told(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(HEAD + text, expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("tiers", "part"),
    [
        ("tiers.one = { %s, gpus = 'all' }", '"one" takes all: that'),
        ("tiers.one = { %s, gpus = 2 }", '"one" takes the first 2: that'),
        ("tiers.one = { %s, gpus = 1 }\ntiers.two = { %s, port = 1, gpus = 1 }", '; "one" and "two" may be on one GPU'),
        (
            f"gpus.a.uuid = '{UUID_B}'\ntiers.one = {{ %s, gpus = ['a'] }}\n"
            "tiers.two = { %s, port = 1, gpus = 'all' }",
            '; "one" and "two" may be on one GPU',
        ),
    ],
)
def test_who_may_share_a_gpu(tiers: str, part: str, tmp_path: Path) -> None:
    (warning,) = faults_of(HEAD + tiers.replace("%s", TIER), tmp_path)

    assert (warning.severity, part in warning.detail) == ("warning", True)


def test_tiers_of_two_modes_do_not_share(tmp_path: Path) -> None:
    tiers = f"tiers.one = {{ {TIER}, gpus = 1 }}\ntiers.two = {{ {TIER}, port = 1, gpus = 1, standby = true }}"
    (warning,) = faults_of(HEAD + tiers, tmp_path)

    assert "may be on one GPU" not in warning.detail


def test_tiers_of_different_profiles_do_not_share(tmp_path: Path) -> None:
    tier = f"{TIER}, gpus = ['a'], gpu_memory_utilization = 0.9"
    tiers = f"tiers.one = {{ {tier}, profiles = ['x'] }}\ntiers.two = {{ {tier}, port = 1, profiles = ['y'] }}\n"
    third = f"tiers.three = {{ {tier}, port = 2, profiles = ['y', 'z'] }}\n"

    assert faults_of(f"{HEAD}gpus.a.uuid = '{UUID_A}'\n{tiers}", tmp_path) == ()
    (error,) = faults_of(f"{HEAD}gpus.a.uuid = '{UUID_A}'\n{tiers}{third}", tmp_path)
    assert (error.code, error.detail) == (
        "shares-above-the-whole-gpu",
        'on "a": two 0.9 + three 0.9 = 1.8, and 1 is available',
    )


def test_a_tier_of_no_container_takes_nothing_of_a_gpu(tmp_path: Path) -> None:
    tier = f"{TIER}, gpus = ['a']"
    tiers = f"tiers.one = {{ {tier} }}\ntiers.two = {{ {tier}, port = 1, deploy = {{ replicas = 0 }} }}\n"

    assert faults_of(f"{HEAD}gpus.a.uuid = '{UUID_A}'\n{tiers}", tmp_path) == ()


def test_where_an_index_pins_no_engine(tmp_path: Path) -> None:
    text = f"host.platform = 'wsl2'\ngpus.a.index = 1\ntiers.one = {{ {TIER}, gpus = ['a'] }}"
    (warning,) = faults_of(HEAD + text, tmp_path)

    assert "on wsl2 an engine cannot be pinned by it" in warning.detail


TOY = """title = "Toy"
uuid_pattern = "TOY-[0-9]+"
uuid_help = "it stands on the box"
requests.reservation = {}
environment.TOYS = "{uuids}"
"""


@pytest.mark.parametrize(
    ("gpus", "summaries"),
    [
        ("['a']", []),
        ("'all'", ["GPUs without names"]),
        ("['b']", ["not for this vendor"]),
        ("1", ["not for this vendor"]),
    ],
)
def test_a_vendor_that_pins_by_uuid_alone(gpus: str, summaries: list[str], tmp_path: Path) -> None:
    for path, text in (
        ("templates/gpus/toy/gpu.toml", TOY),
        ("templates/gpus/toy/reservation.yml.j2", "    devices:\n      - /dev/toy:/dev/toy\n"),
        ("templates/engines/player/engine.toml", 'title = "P"\ndocs = "x"\nimage = "x:1"\nvendors = ["toy"]\n'),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    (tmp_path / "hosts").mkdir()
    text = "gpus.a = { vendor = 'toy', uuid = 'TOY-1' }\ngpus.b = { vendor = 'toy', index = 1 }\n"
    tier = f"tiers.one = {{ engine = 'player', model = {HUB}, port = 9000, gpus = {gpus} }}"

    assert [one.summary for one in faults_of(HEAD + text + tier, tmp_path / "hosts")] == summaries


def test_gpus_that_are_one_by_the_defaults_of_their_variables_may_be_two(tmp_path: Path) -> None:
    gpus = "gpus.a.index = { env = 'A', default = 1 }\ngpus.b.index = { env = 'B', default = 1 }\n"
    found = faults_of(f"{HEAD}{gpus}tiers.one = {{ {TIER}, gpus = ['a'] }}", tmp_path)

    assert [one.severity for one in found if one.code == "uuid-taken-twice"] == ["warning"]
