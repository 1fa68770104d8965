"""Cards that should be there, and what lets containers have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.cards import Card as Pretended
from fake_engine import INFO, engine, subject, told
from fake_machine import kernel, no_programs, nvidia, programs

from anvil_gen.machine.subprocesses import Answer, Run
from anvil_gen.operate.doctor.gpus import check_gpus, check_runtimes

UUID = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
OTHER = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
INVENTORY = f"""schema = 1
[gpus.big]
uuid = "{UUID}"
memory_mib = 97887
compute_capability = "12.0"
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
gpus = ["big"]
port = 30001
model = {{ path = "gpt-oss-20b" }}
"""
AMD = (
    INVENTORY.replace(f'uuid = "{UUID}"', 'vendor = "amd"\nuuid = "GPU-1a2b3c4d5e6f7a8b"')
    .replace('engine = "vllm"', 'engine = "llamacpp"')
    .replace('path = "gpt-oss-20b"', 'file = "x.gguf"')
    .replace('compute_capability = "12.0"\n', "")
)


def card(uuid: str = UUID, memory: int = 97887, capability: str = "12.0") -> Run:
    """Return a machine with one card."""
    return nvidia(Pretended(uuid, "NVIDIA RTX", memory, capability))


@pytest.mark.parametrize(
    ("run", "verdict", "outcome"),
    [
        (card(), "pass", "NVIDIA RTX, 97887 MiB, compute capability 12.0, driver 575.57.08"),
        (card(memory=97251), "pass", "NVIDIA RTX, 97251 MiB, compute capability 12.0, driver 575.57.08"),
        (card(memory=0), "pass", "NVIDIA RTX, memory shared with the CPU, or not reported, "),
        (card(memory=32607), "fail", "memory differs from the inventory"),
        (card(capability="8.6"), "fail", "compute capability differs from the inventory"),
        (card(OTHER), "fail", "GPU not found"),
        (no_programs, "fail", "no GPU is listed"),
    ],
)
def test_a_card(run: Run, verdict: str, outcome: str, tmp_path: Path) -> None:
    ((found, _, text),) = told(check_gpus(subject(tmp_path, INVENTORY, engine(), run=run)))

    assert (found, text.startswith(outcome)) == (verdict, True)


def test_what_to_write_instead(tmp_path: Path) -> None:
    (check,) = check_gpus(subject(tmp_path, INVENTORY, engine(), run=card(OTHER, 32607)))

    assert check.diagnostic is not None
    assert check.diagnostic.address == "gpus.big.uuid"
    assert f"\n    {OTHER}  NVIDIA RTX" in check.diagnostic.detail
    assert check.diagnostic.remedy.endswith(f'\n    [gpus.big]\n    uuid = "{OTHER}"')


@pytest.mark.parametrize(("system", "part"), [("linux", "ubuntu-drivers install"), ("win32", "wsl --update")])
def test_a_driver_that_is_not_there(system: str, part: str, tmp_path: Path) -> None:
    failed = programs({"nvidia-smi": Answer(code=9, stdout="NVIDIA-SMI has failed\n")})
    (check,) = check_gpus(subject(tmp_path, INVENTORY, engine(info="{}"), run=failed, system=system))

    assert check.diagnostic is not None
    assert check.diagnostic.detail == "`nvidia-smi`: NVIDIA-SMI has failed"
    assert part in check.diagnostic.remedy


def test_cards_that_a_container_has_had_are_there(tmp_path: Path) -> None:
    host = subject(tmp_path, INVENTORY, engine())

    assert [verdict for verdict, _, _ in told(check_gpus(host, measured=True))] == ["warn"]
    assert [verdict for verdict, _, _ in told(check_runtimes(host, measured=True))] == ["pass"]


def test_cards_of_another_machine_are_not_looked_at(tmp_path: Path) -> None:
    assert told(check_gpus(subject(tmp_path, INVENTORY, engine(), at="ssh://me@box"))) == []


@pytest.mark.parametrize(
    ("info", "verdict", "outcome"),
    [
        ({}, "fail", "no GPU runtime"),
        ({"Runtimes": {"nvidia": {}}}, "pass", "NVIDIA Container Toolkit: Docker has the runtime nvidia"),
        ({"OperatingSystem": "Docker Desktop"}, "pass", "NVIDIA Container Toolkit: Docker Desktop includes it"),
    ],
)
def test_a_runtime(
    info: dict[str, object], verdict: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    host = subject(tmp_path, INVENTORY, engine(info=json.dumps({**INFO, **info})))

    assert told(check_runtimes(host)) == [(verdict, "GPU runtime", outcome)]


def test_a_runtime_that_is_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-container-runtime-hook"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert [verdict for verdict, _, _ in told(check_runtimes(subject(tmp_path, INVENTORY)))] == ["pass"]


def test_devices(tmp_path: Path) -> None:
    drm = "sys/class/drm/card0/device"
    root = kernel(
        tmp_path,
        {
            f"{drm}/vendor": "0x1002",
            f"{drm}/unique_id": "1a2b3c4d5e6f7a8b",
            f"{drm}/mem_info_vram_total": str(97887 << 20),
            "dev/kfd": "",
        },
    )
    host = subject(tmp_path / "fleet", AMD, engine(), root=root)

    assert [verdict for verdict, _, _ in told(check_gpus(host))] == ["pass"]
    assert told(check_runtimes(host)) == [("fail", "GPU runtime", "no GPU runtime")]
    (root / "dev/dri").mkdir()
    assert [verdict for verdict, _, _ in told(check_runtimes(host))] == ["pass"]


BY_INDEX = INVENTORY.replace(f'uuid = "{UUID}"', "index = 1")


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        (
            BY_INDEX,
            [("pass", f"NVIDIA RTX, 97887 MiB, compute capability 12.0, driver 575.57.08, index 1 is now {UUID}")],
        ),
        (BY_INDEX.replace("index = 1", "index = 2"), [("fail", "GPU not found")]),
        (BY_INDEX.replace("index = 1", "index = 0"), [("fail", "memory differs from the inventory")]),
        (
            BY_INDEX.replace("[paths]", f'[gpus.same]\nuuid = "{UUID}"\n[paths]'),
            [("pass", "NVIDIA RTX, 97887 MiB"), ("fail", "UUID taken twice")],
        ),
        (INVENTORY.replace('gpus = ["big"]', 'gpus = "all"'), []),
    ],
)
def test_a_card_by_index(text: str, outcomes: list[tuple[str, str]], tmp_path: Path) -> None:
    run = nvidia(Pretended(OTHER, "NVIDIA RTX", 32607, "12.0"), Pretended(UUID, "NVIDIA RTX", 97887, "12.0"))
    context = subject(tmp_path, text, engine(), run=run)
    found = told(check_gpus(context, every="same" in text))

    assert [verdict for verdict, _, _ in found] == [verdict for verdict, _ in outcomes]
    assert all(text.startswith(part) for (_, _, text), (_, part) in zip(found, outcomes, strict=True))


def test_where_an_index_is_set(tmp_path: Path) -> None:
    (check,) = check_gpus(subject(tmp_path, BY_INDEX, engine(), run=card(OTHER, 32607)))

    assert check.diagnostic is not None
    assert check.diagnostic.address == "gpus.big.index"


SPECIFICATION = "CDI specification of the GPUs: Docker"


@pytest.mark.parametrize(
    ("form", "info", "outcome"),
    [
        ("cdi", {}, ("fail", "no GPU runtime")),
        ("cdi", {"Runtimes": {"nvidia": {}}}, ("fail", "no GPU runtime")),
        ("cdi", {"CDISpecDirs": ["/etc/cdi"]}, ("pass", f"{SPECIFICATION} looks for it in /etc/cdi")),
        (
            "cdi",
            {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]},
            ("pass", f"{SPECIFICATION} has found nvidia.com/gpu=all"),
        ),
        ("cdi", {"DiscoveredDevices": [{"Source": "cdi", "ID": "other.com/gpu=0"}]}, ("fail", "no GPU runtime")),
        ("cdi", {"DiscoveredDevices": None, "CDISpecDirs": ["/etc/cdi"]}, ("fail", "no GPU runtime")),
        ("runtime", {}, ("fail", "no GPU runtime")),
        (
            "runtime",
            {"Runtimes": {"nvidia": {}}},
            ("pass", "runtime of the NVIDIA Container Toolkit: Docker has the runtime nvidia"),
        ),
    ],
)
def test_what_each_form_needs(
    form: str, info: dict[str, object], outcome: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = INVENTORY.replace("schema = 1", f'schema = 1\nhost.gpu_request = "{form}"')
    for folder, gpus in (("named", '["big"]'), ("unnamed", '"all"')):
        answers = engine(info=json.dumps({**INFO, **info}))
        host = subject(tmp_path / folder, text.replace('["big"]', gpus), answers)

        assert told(check_runtimes(host)) == [(outcome[0], "GPU runtime", outcome[1])]
