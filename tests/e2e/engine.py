"""The engine that the tests run against: our daemon, a Docker Compose, the stand-in images and a machine's cards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from running import Result

from e2e import gpu_hook, images
from e2e.cards import cards_of
from e2e.daemon import Daemon
from e2e.materials import CACHE, REPOSITORY, Materials, digest_of, materials

PROGRAMS = ("docker", "dockerd", "containerd", "runc", "iptables", "ip", "unshare", "mmdebstrap", "docker-registry")
TIMEOUT_SECONDS = 600
CARDS = cards_of("fakoli-dark", "lab-quad")
# Other clones have daemons of their own. It is short, since the length of a socket's path is limited.
RUN = Path("/run") / f"anvil-gen-e2e-{digest_of(str(REPOSITORY))}"


LISTS = {
    "container": ("--all", "{{.Names}}"),
    "network": ("--no-trunc", "{{.Name}}"),
    "volume": ("--format={{.Name}}", "{{.Name}}"),
    "image": ("--no-trunc", "{{.Repository}}:{{.Tag}}"),
}


class EngineError(Exception):
    """No engine can be had here; the text says why, and what to do."""


class Engine:
    """A running engine. Pass `environment` to every program that shall use it."""

    def __init__(self, daemon: Daemon, fetched: Materials) -> None:
        """Take a daemon that runs and what its images were made of."""
        self.model_folder = fetched.models
        """The folder with the model's GGUF file, and the folders of images.toml with the same file in each."""
        self.environment: Mapping[str, str] = {
            "DOCKER_HOST": daemon.host,
            "DOCKER_CONFIG": str(daemon.run / "docker"),
            # As on a machine with cards, the hook is found by others than the daemon too.
            "PATH": f"{gpu_hook.programs(daemon.run / 'gpus')}:{os.environ['PATH']}",
            # Where the machine reaches the world through a proxy, this is not the world.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        self.outside = daemon.outside
        """A context in which the machine's network is reached, to fetch what one run alone needs."""
        self._ignore_pins = daemon.run / "gpus" / gpu_hook.IGNORE_PINS_FILE

    def run(
        self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, check: bool = True
    ) -> Result:
        """Run a command that uses the engine.

        Raises:
            AssertionError: it fails, and `check` is set.

        """
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return Result(done.returncode, done.stdout, done.stderr)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run `docker` with some arguments, and return what it prints.

        Raises:
            AssertionError: it fails, and `check` is set.

        """
        return self.run("docker", *arguments, check=check).stdout.strip()

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what `docker inspect` says about a container, image, network or volume."""
        (found,) = json.loads(self.docker("inspect", name))
        return dict(found)

    @contextlib.contextmanager
    def ignoring_pins(self) -> Iterator[None]:
        """Play a platform that gives every container all cards, whatever it asks for."""
        self._ignore_pins.touch()
        try:
            yield
        finally:
            self._ignore_pins.unlink()

    def remove_all(self, part: str = "") -> None:
        """Remove every container, network, volume and image with a text in its name, but not our own images."""
        kept = {"bridge", "host", "none", *images.kept_names()}
        for kind, (option, form) in LISTS.items():
            # The first try may meet what is being removed already; what it leaves, the second one tells.
            for check in (False, True):
                listed = self.docker(kind, "ls", option, "--format", form).splitlines()
                doomed = [name for name in listed if part in name and name not in kept and "<none>" not in name]
                if doomed:
                    force = [] if kind == "network" else ["--force"]
                    volumes = ["--volumes"] if kind == "container" else []
                    self.docker(kind, "rm", *force, *volumes, *doomed, check=check)


def missing() -> str:
    """Return why no engine can run here and what to do about it, or nothing."""
    programs = [program for program in PROGRAMS if shutil.which(program) is None]
    if not programs and os.geteuid() == 0:
        return ""
    why = f"these programs are missing: {', '.join(programs)}" if programs else "only root may start a Docker daemon"
    return (
        f"the tests in tests/e2e have no Docker engine: {why}\n"
        "They start a daemon of their own, which keeps clear of any other. As root, run:\n\n"
        "    scripts/test tests/e2e\n\n"
        "The other tests need none:\n\n"
        "    scripts/test --ignore tests/e2e\n"
    )


@contextlib.contextmanager
def running_engine() -> Iterator[Engine]:
    """Start the engine, or join the one that another process of this clone has started; the last to leave stops it.

    The calling thread is in the engine's network meanwhile: what is published on 127.0.0.1 is reached from there only.

    Raises:
        EngineError: there can be no engine here.
        DaemonError: the daemon does not start.
        MaterialError: the images lack something.

    """
    if why := missing():
        raise EngineError(why)
    CACHE.mkdir(parents=True, exist_ok=True)
    daemon = Daemon(CACHE / "docker", RUN)
    with (CACHE / "users").open("w") as users:
        try:
            with _gate():
                engine = _joined(daemon, alone=_is_alone(users))
                fcntl.flock(users, fcntl.LOCK_SH)
            with daemon.inside():
                yield engine
        finally:
            with _gate():
                if _is_alone(users):
                    daemon.stop()
                    daemon.clear()


@contextlib.contextmanager
def _gate() -> Iterator[None]:
    """Let one process at a time join or leave."""
    with (CACHE / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _is_alone(users: TextIO) -> bool:
    """Tell whether no other process uses the engine, each of which holds a share in the lock; our own is given up."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(users, fcntl.LOCK_UN)
        return False
    return True


def _joined(daemon: Daemon, *, alone: bool) -> Engine:
    """Return the engine, after starting it and building its images where that is not done yet."""
    fetched = materials()
    # One that another process uses is only too busy to answer.
    if alone and not daemon.answers():
        daemon.stop()
        daemon.clear()
        daemon.start(gpu_hook.install(daemon.run / "gpus", CARDS))
        link_compose(daemon.run / "docker")
    engine = Engine(daemon, fetched)
    if alone:
        # Whatever is in it was left by a process that was killed.
        engine.remove_all()
        engine.docker("image", "prune", "--force")
    images.build(engine.docker, fetched, stamp=CACHE / "images.json")
    return engine


def link_compose(configuration: Path) -> None:
    """Make `docker compose` work with a configuration folder of our own: the clone's Compose, or the user's plugins."""
    own = REPOSITORY / ".tools" / "docker-compose"
    users = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"
    configuration.mkdir()
    if own.exists():
        (configuration / "cli-plugins").mkdir()
        (configuration / "cli-plugins" / "docker-compose").symlink_to(own)
    elif users.is_dir():
        (configuration / "cli-plugins").symlink_to(users)
