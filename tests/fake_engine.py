"""An engine that tests make up, and hosts that are examined against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fake_machine import no_programs
from msgspec.structs import replace
from running import fleet

from anvil_gen.machine.docker import Docker
from anvil_gen.machine.ports import PortState
from anvil_gen.machine.subprocesses import Run
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.doctor.context import DoctorContext

HANGS = "hangs"
"""The answer of a command that does not end."""
NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
INFO = {"KernelVersion": "6.1.0-28-amd64", "OperatingSystem": "Debian GNU/Linux 12", "Runtimes": {"runc": {}}}


class FakeDocker(Docker):
    """An engine that answers each command, by its first words, with a text; others with a failure."""

    def __init__(self, answers: Mapping[str, str], *, at: str = "", context: str | None = None) -> None:
        """Take the answers, and where the engine is."""
        super().__init__(context)
        self.answers, self.at = answers, at
        self.asked: list[tuple[str, ...]] = []
        self.read: list[str] = []

    @property
    def endpoint(self) -> str:
        """Where the engine is."""
        return self.at

    def run(
        self,
        *arguments: str,
        text: str = "",
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Answer a command."""
        self.asked.append(arguments)
        self.read += [text] if text else []
        words = " ".join(arguments)
        found = next((answer for start, answer in self.answers.items() if start and words.startswith(start)), None)
        if found is None:
            return subprocess.CompletedProcess(arguments, 1, "", self.answers.get("", NO_DAEMON))
        return subprocess.CompletedProcess(arguments, 0, found, "")

    def popen(self, *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None) -> Any:
        """Answer a command later."""
        done = self.run(*arguments, folder=folder)

        class Started:
            args, returncode = arguments, done.returncode

            def communicate(self, timeout: float | None = None) -> tuple[str, str]:
                if done.stdout == HANGS and timeout is not None:
                    raise subprocess.TimeoutExpired(arguments, timeout)
                return done.stdout, done.stderr

            def kill(self) -> None:
                pass

        return Started()

    def popen_merged(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Answer with a log in which nothing is."""
        self.asked.append(arguments)
        return subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)


def engine(**more: str) -> dict[str, str]:
    """Return the answers of an engine that has nothing but ``more``, in whose names ``_`` stands for a space."""
    version = {"Client": {"Version": "28.2.2"}, "Server": {"Version": "28.2.2"}}
    usual = {
        "compose version": "2.40.0\n",
        "version": json.dumps(version),
        "info": json.dumps(INFO),
        "volume ls": "",
        "image inspect": "[]",
        "container inspect": "[]",
        "ps": "",
    }
    return {**usual, **{words.replace("_", " "): text for words, text in more.items()}}


def container(name: str, *, project: str = "", service: str = "", port: int = 0, host: str = "127.0.0.1") -> Any:
    """Return a running container as ``docker inspect`` tells it."""
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": service} if project else {}
    bindings = {"80/tcp": [{"HostIp": host, "HostPort": str(port)}]} if port else {}
    return {
        "Id": name,
        "Name": f"/{name}",
        "Image": "sha256:1",
        "State": {"Status": "running"},
        "HostConfig": {"PortBindings": bindings},
        "Config": {"Image": "image:1", "Labels": labels},
    }


def having(*containers: Any) -> dict[str, str]:
    """Return the answers of an engine that runs some containers."""
    names = "\n".join(one["Id"] for one in containers)
    return engine(ps=names, container_inspect=json.dumps(containers))


def images(*names: str) -> str:
    """Return what ``docker image inspect`` says of images."""
    return json.dumps([{"Id": f"sha256:{name}", "RepoTags": [name], "Size": 3 << 30} for name in names])


def subject(
    folder: Path,
    text: str,
    answers: Mapping[str, str] | None = None,
    *,
    at: str = "",
    run: Run = no_programs,
    root: Path | None = None,
    system: str = "linux",
    shell: Mapping[str, str] | None = None,
    mode: str | None = None,
    port_state: Callable[[str, int], PortState] = lambda _host, _port: "free",
    with_slot: bool = False,
) -> DoctorContext:
    """Return a host of an inventory on an engine and a machine that are made up; without answers nothing answers."""
    deployment = open_deployment(str(fleet(folder, box=text) / "hosts" / "box.toml"), folder)
    docker = FakeDocker(answers if answers is not None else {}, at=at)
    deployment.project = replace(deployment.project, docker=docker)
    return DoctorContext(
        deployment,
        deployment.mode(mode),
        run=run,
        root=root if root is not None else folder / "nowhere",
        system=system,
        shell=shell or {},
        port_state=port_state,
        with_slot=with_slot,
    )


def told(checks: Any) -> list[tuple[str, str, str]]:
    """Return verdict, name and outcome of each check: what was found, or the summary of what is wrong."""
    return [(one.verdict, one.what, one.found if one.diagnostic is None else one.diagnostic.summary) for one in checks]
