"""What `docker info` says of a host: each condition is told with its command, and no more once that was run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_engine import INFO, engine, subject
from fake_machine import kernel
from inventories import UUID_A

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.docker_conditions import docker_conditions
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.doctor.diagnose import obstacles
from anvil_gen.operate.doctor.host import check_host, check_proxies

CPU = "schema = 1\n[tiers.one]\nengine = 'llamacpp'\nmodel.file = '/srv/x.gguf'\n"
GPU = f"schema = 1\n[gpus.a]\nuuid = '{UUID_A}'\n{CPU.removeprefix('schema = 1')}gpus = ['a']\n"
TOOLKIT = "etc/nvidia-container-runtime/config.toml"
DEVICES = {"dev/nvidiactl": ""}
PODMAN = json.dumps(
    {"Client": {"Version": "28.2.2"}, "Server": {"Version": "5.6.2", "Components": [{"Name": "Podman Engine"}]}}
)
SELINUX = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=selinux"]}
ROOTLESS = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}
TEGRA = {"KernelVersion": "5.15.148-tegra"}
CDI = {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}], "Runtimes": {"runc": {}}}
SYSTEMD = {"CgroupDriver": "systemd"}


def told(
    folder: Path, text: str, info: dict[str, Any], files: dict[str, str] | None = None, **more: str
) -> list[Diagnostic]:
    answers = engine(info=json.dumps({**INFO, **info}), **more)
    host = subject(folder / "fleet", text, answers, root=kernel(folder / "root", files or {}))
    return [check.diagnostic for check in check_host(host) if check.diagnostic is not None]


@pytest.mark.parametrize(
    ("text", "info", "files", "expected"),
    [
        (CPU, {}, {}, []),
        (GPU, {}, {}, []),
        (CPU, SELINUX, {}, ["selinux-without-labels"]),
        (CPU + "[host]\nselinux = true\n", SELINUX, {}, []),
        (GPU, ROOTLESS, {}, ["rootless-docker-without-cgroups"]),
        (GPU, ROOTLESS, {TOOLKIT: "#no-cgroups = true\n"}, ["rootless-docker-without-cgroups"]),
        (GPU, ROOTLESS, {TOOLKIT: "[nvidia-container-cli]\nno-cgroups = true\n"}, []),
        (GPU + "[host]\ngpu_request = 'cdi'\n", ROOTLESS, {}, []),
        (CPU, ROOTLESS, {}, []),
        (GPU, TEGRA, {}, ["jetson-without-its-runtime"]),
        (GPU + "[host]\ngpu_request = 'runtime'\n", TEGRA, {}, []),
        (CPU, TEGRA, {}, []),
        (GPU, CDI, {}, ["gpus-known-by-cdi-alone"]),
        (GPU, {**CDI, "Runtimes": {"nvidia": {}}}, {}, []),
        (GPU + "[host]\ngpu_request = 'cdi'\n", CDI, {}, []),
        (GPU, SYSTEMD, DEVICES, ["gpus-may-be-lost"]),
        (GPU, SYSTEMD, {**DEVICES, "dev/char/195:255": ""}, []),
        (GPU, SYSTEMD, {}, []),  # as on WSL2, which has other devices
        (GPU + "[host]\ngpu_request = 'cdi'\n", SYSTEMD, DEVICES, []),
    ],
)
def test_what_docker_says_of_its_host(
    text: str, info: dict[str, Any], files: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    assert [diagnostic.code for diagnostic in told(tmp_path, text, info, files)] == expected


def test_each_condition_has_a_command_or_keys_to_copy(tmp_path: Path) -> None:
    conditions = docker_conditions(Catalog())

    assert {condition.code for condition in conditions} >= {"selinux-without-labels", "podman-gives-no-gpus"}
    for condition in conditions:
        assert "\n    " in condition.remedy or "https://" in condition.remedy, condition.code
    (fault,) = told(tmp_path, GPU, TEGRA)
    assert fault.remedy.startswith(f"set in {tmp_path}")
    assert fault.remedy.endswith('\n    [host]\n    gpu_request = "runtime"')


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [(GPU, "podman-gives-no-gpus", "error"), (CPU, "podman-answers-for-docker", "warning")],
)
def test_podman_in_dockers_place(text: str, code: str, severity: str, tmp_path: Path) -> None:
    (found,) = told(tmp_path, text, {}, version=PODMAN)
    assert (found.code, found.severity) == (code, severity)

    host = subject(tmp_path / "up", text, engine(version=PODMAN), root=tmp_path)
    assert (code in [one.code for one in obstacles(host)]) == (severity == "error")


def test_a_proxy_of_docker_between_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    text = CPU + "[services.ui]\nimage = 'ui:1'\n[router]\n"

    def warned(text: str, **proxy: str) -> list[str]:
        (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": proxy}}), "utf-8")
        checks = check_proxies(subject(tmp_path / "fleet", text, engine()))
        return [check.diagnostic.remedy.splitlines()[-1].strip() for check in checks if check.diagnostic is not None]

    secret = "http://me:secret@proxy.example:3128"
    assert warned(text, httpProxy=secret) == ["one,router,router-reload,ui"]
    assert warned(text, httpProxy=secret, noProxy="one, ui,router-reload") == ["router"]
    assert warned(text, httpProxy=secret, noProxy="one,router,router-reload,ui") == []
    assert warned(text, noProxy="x") == []
    assert warned(CPU, httpProxy=secret) == []  # nothing asks another service
    (tmp_path / "config.json").write_text("nonsense", "utf-8")
    assert list(check_proxies(subject(tmp_path / "fleet", text, engine()))) == []
