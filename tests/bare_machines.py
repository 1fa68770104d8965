"""Machines that `init` meets, each played by programs and files that are passed in."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from e2e.cards import Card
from fake_engine import FakeDocker
from fake_machine import LINUX_KERNEL, WSL2_KERNEL, kernel, no_programs, nvidia

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.subprocesses import Answer, Run
from anvil_gen.onboard.copier_answers import Answers
from anvil_gen.onboard.detect import DetectedMachine, MachineAccess, detect
from anvil_gen.onboard.scaffold import ScaffoldResult, scaffold
from anvil_gen.onboard.template_source import Source

RTX5090 = Card("GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1", "NVIDIA GeForce RTX 5090", 32607)
PRO6000 = Card("GPU-d0f446cf-1771-414c-e116-a39138798a8c", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887)
GB10 = Card("GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01", "NVIDIA GB10", 0, "12.1")
JETSON_UUID = "54d0709b-558d-5a59-9c65-0c5fc14a21a4"
AMD_CARD = {
    "sys/class/drm/card1/device/vendor": "0x1002\n",
    "sys/class/drm/card1/device/unique_id": "1a2b3c4d5e6f7a8b\n",
    "sys/class/drm/card1/device/product_name": "Radeon PRO W7900\n",
    "sys/class/drm/card1/device/mem_info_vram_total": f"{46064 << 20}\n",
    "dev/kfd": "",
    "dev/dri/card1": "",
}
INTEGRATED = {"sys/class/drm/card0/device/vendor": "0x8086\n"}
DEBIAN = {"etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n'}
UBUNTU = {"etc/os-release": 'ID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian\n'}
SOURCE = Source(url="git+https://git.example/anvil-gen", ref="v0.1.0")


def docker(
    *,
    runtimes: Sequence[str] = ("runc",),
    platform: str = LINUX_KERNEL,
    compose: str = "2.33.1",
    volumes: str = "",
    architecture: str = "x86_64",
    projects: Sequence[Mapping[str, str]] = (),
    more: Mapping[str, Any] | None = None,
) -> Docker:
    """Return a Docker whose engine answers."""
    info = {
        "ServerVersion": "28.0.1",
        "KernelVersion": platform,
        "MemTotal": 64 << 30,
        "Runtimes": dict.fromkeys(runtimes),
        "Architecture": architecture,
        **(more or {}),
    }
    answers = {"compose ls": json.dumps(projects), "info": json.dumps(info), "compose": compose, "volume": volumes}
    versions = json.dumps({"Client": {"Version": "28.0.1"}, "Server": {"Version": "28.0.1"}})
    return FakeDocker({**answers, "version": versions})


class NoDocker(Docker):
    """A machine without a `docker`."""

    def popen(self, *arguments: str, **options: Any) -> Any:
        """Fail as a program that is not there."""
        raise DiagnosticError([Diagnostic(code="docker-is-not-installed")])

    run = popen


def machine(
    root: Path,
    *,
    run: Run = no_programs,
    engine: Docker | None = None,
    files: Mapping[str, str] | None = None,
    programs: Sequence[str] = (),
    memory_gib: int = 64,
    address: str = "",
) -> MachineAccess:
    """Return a machine of these programs and files, as Debian."""
    told = {"proc/sys/kernel/osrelease": LINUX_KERNEL, "proc/meminfo": f"MemTotal: {memory_gib << 20} kB\n"}
    return MachineAccess(
        run=run,
        docker=engine or NoDocker(),
        root=kernel(root, {**told, **DEBIAN, **(files or {})}),
        home=root / "home/me",
        system="linux",
        hostname="My-Box.local",
        address=address,
        taken=lambda _host, _port: False,
        which=lambda name: name if name in programs else None,
    )


def broken(command: Sequence[str]) -> Answer:
    """Answer as an `nvidia-smi` without its driver."""
    if command[0] != "nvidia-smi":
        return no_programs(command)
    text = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    return Answer(code=9, stdout=text)


def jetson(command: Sequence[str]) -> Answer:
    """Answer as a Jetson with JetPack 6, whose GPU's UUID has no prefix."""
    if command[:2] == ("uname", "-r"):
        return Answer(code=0, stdout="5.15.148-tegra\n")
    if command[0] != "nvidia-smi":
        return no_programs(command)
    if "-L" in command:
        return Answer(code=0, stdout=f"GPU 0: Orin (nvgpu) (UUID: {JETSON_UUID})\n")
    return Answer(code=0, stdout=f"{JETSON_UUID}, Orin (nvgpu), [N/A], [N/A], 540.4.0\n")


class Case(NamedTuple):
    """A machine; the preset and the cards of its inventory; what is lacking."""

    at: Callable[[Path], MachineAccess]
    preset: str
    cards: dict[str, int | None]
    lacks: list[str]


TOOLKIT = "containers cannot access the GPUs yet"
CASES = {
    "no card": Case(lambda root: machine(root, engine=docker(), files=INTEGRATED), "cpu-demo", {}, []),
    "one card": Case(
        lambda root: machine(root, run=nvidia(RTX5090), engine=docker(runtimes=("nvidia", "runc"))),
        "chat",
        {"rtx5090": 32607},
        [],
    ),
    "two unlike cards, no toolkit": Case(
        lambda root: machine(root, run=nvidia(RTX5090, PRO6000), engine=docker(), files=INTEGRATED),
        "coder-fast",
        {"pro6000": 97887, "rtx5090": 32607},
        [TOOLKIT],
    ),
    "WSL2": Case(
        lambda root: machine(root, run=nvidia(RTX5090), engine=docker(runtimes=("nvidia",), platform=WSL2_KERNEL)),
        "chat",
        {"rtx5090": 32607},
        [],
    ),
    "DGX Spark": Case(
        lambda root: machine(
            root,
            run=nvidia(GB10),
            engine=docker(runtimes=("nvidia",), architecture="aarch64"),
            memory_gib=119,
            programs=["nvidia-smi"],
        ),
        "chat",
        {"gb10": 119 * 1024},
        [],
    ),
    "Jetson": Case(
        lambda root: machine(
            root,
            run=jetson,
            engine=docker(runtimes=("nvidia",), platform="5.15.148-tegra", architecture="aarch64"),
            programs=["nvidia-smi"],
        ),
        "chat",
        {"orin": 64 * 1024},
        [],
    ),
    "Jetson without Docker": Case(
        lambda root: machine(root, run=jetson, programs=["nvidia-smi", "nvidia-container-runtime"]),
        "chat",
        {"orin": 64 * 1024},
        ["Docker is not installed"],
    ),
    "AMD": Case(lambda root: machine(root, engine=docker(), files=AMD_CARD), "chat", {"prow7900": 46064}, []),
    "broken driver": Case(
        lambda root: machine(root, run=broken, engine=docker(), programs=["nvidia-smi"]),
        "cpu-demo",
        {},
        ["GPUs cannot be listed"],
    ),
    "no Docker": Case(
        lambda root: machine(root, run=nvidia(RTX5090)),
        "chat",
        {"rtx5090": 32607},
        ["Docker is not installed", TOOLKIT],
    ),
}


def look(at: MachineAccess) -> DetectedMachine:
    """Return what is found on a machine."""
    return detect(Catalog(), at, router_port=8000, first_port=30000)


def laid(folder: Path, answers: Answers, **given: str) -> ScaffoldResult:
    """Lay down what was found, without asking."""
    known = Answers(known={**answers.known, **given}, suggested=answers.suggested)
    return scaffold(folder, known, SOURCE, ask=False, check=Generator().render)


def inventory_of(result: ScaffoldResult) -> dict[str, Any]:
    """Return the inventory as data."""
    return tomllib.loads(result.inventory.read_text("utf-8"))
