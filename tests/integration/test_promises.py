"""The promises of docs/architecture.md that hold for a whole render."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import REPOSITORY
from sources import build_wheel
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator

HOSTS = sorted((REPOSITORY / "hosts").glob("*.toml"))


def render(inventory: Path, output: Path, *, program: str = sys.executable, **options: object) -> str:
    """Render by a process of its own, and return what it printed."""
    command = [program, "-m", "anvil_gen", "render", str(inventory), "--output", str(output)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr
    printed: str = result.stdout
    return printed


def tree(folder: Path) -> dict[str, bytes]:
    """Return a rendered tree: bytes by path, without the state of the machine."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".anvil-gen" not in path.relative_to(folder).parts
    }


def example_files() -> Iterator[tuple[str, str]]:
    """Yield host and path of every file under examples/: they are the snapshots."""
    for host in HOSTS:
        for path in tree(REPOSITORY / "examples" / host.stem):
            if path != "README.md":
                yield host.stem, path


def stored_at(path: Path) -> type[SingleFileSnapshotExtension]:
    """Return a snapshot extension whose one snapshot is the file at ``path``, under its own name."""

    class AtPath(SingleFileSnapshotExtension):
        _write_mode = WriteMode.TEXT
        file_extension = path.suffix.removeprefix(".")

        def is_snapshot_location(self, *, location: str) -> bool:
            return location == str(path)

        @classmethod
        def discovery_dirname(cls, *, test_location: PyTestLocation) -> str:
            # Not the snapshot's own folder: what else stands there would count as unused, and updates remove that.
            return str(path.parent.parent)

        @classmethod
        def dirname(cls, *, test_location: PyTestLocation) -> str:
            return str(path.parent)

        @classmethod
        def get_snapshot_name(cls, *, test_location: PyTestLocation, index: str | int = 0) -> str:
            return path.stem

    return AtPath


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Every host, rendered afresh."""
    trees = {}
    for host in HOSTS:
        output = tmp_path_factory.mktemp(host.stem)
        render(host, output)
        trees[host.stem] = tree(output)
    return trees


@pytest.fixture(scope="module")
def with_targets(rendered: dict[str, dict[str, bytes]]) -> dict[str, dict[str, bytes]]:
    """The same, with the further targets that are among the examples."""
    trees = {name: dict(files) for name, files in rendered.items()}
    for host in HOSTS:
        for target in Catalog().names("targets"):
            if (REPOSITORY / "examples" / host.stem / target).is_dir():
                files = Generator().render(host, target=target).tree.files
                trees[host.stem] |= {f"{target}/{path}": text.encode() for path, text in files.items()}
    return trees


@pytest.mark.parametrize(("host", "path"), list(example_files()))
def test_example_is_what_is_rendered(
    host: str, path: str, with_targets: dict[str, dict[str, bytes]], snapshot: SnapshotAssertion
) -> None:
    """To mend it, read the diff and then: make snapshots."""
    example = snapshot.use_extension(stored_at(REPOSITORY / "examples" / host / path))

    assert with_targets[host].get(path, b"").decode() == example


def test_examples_hold_no_stale_file(with_targets: dict[str, dict[str, bytes]]) -> None:
    listed: dict[str, list[str]] = {host.stem: [] for host in HOSTS}
    for host, path in example_files():
        listed[host].append(path)

    assert listed == {host: sorted(files) for host, files in with_targets.items()}
    assert sorted(folder.name for folder in (REPOSITORY / "examples").iterdir()) == sorted(listed)


ENVIRONMENTS = {
    "locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "time zone": {"TZ": "Pacific/Kiritimati"},
    "hash seed": {"PYTHONHASHSEED": "4242"},
    "no home": {"HOME": "/dev/null/none"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}


@pytest.mark.parametrize("changed", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.stem)
def test_same_bytes_in_any_environment(
    host: Path, changed: dict[str, str], tmp_path: Path, rendered: dict[str, dict[str, bytes]]
) -> None:
    render(host, tmp_path / "out", env={**os.environ, **changed})

    assert tree(tmp_path / "out") == rendered[host.stem]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.stem)
def test_same_bytes_in_any_folder_and_umask(host: Path, tmp_path: Path, rendered: dict[str, dict[str, bytes]]) -> None:
    elsewhere = tmp_path / "ein Ordner mit Umlaut ä"
    shutil.copytree(REPOSITORY / "hosts", elsewhere / "hosts")
    shutil.copytree(REPOSITORY / "groups", elsewhere / "groups")
    render(Path("hosts") / host.name, Path("out"), cwd=elsewhere, umask=0o077)

    assert tree(elsewhere / "out") == rendered[host.stem]
    # The router reads its config as a user of its own.
    modes = {path.stat().st_mode & 0o777 for path in (elsewhere / "out").rglob("*") if ".anvil-gen" not in path.parts}
    assert modes == {0o644, 0o755}


def test_same_bytes_from_the_wheel(tmp_path: Path, rendered: dict[str, dict[str, bytes]]) -> None:
    """The wheel carries its templates: it renders in an environment that has never seen this repository."""
    wheel = build_wheel(tmp_path)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "site")], check=True)
    shutil.copytree(REPOSITORY / "hosts", tmp_path / "fleet" / "hosts")
    shutil.copytree(REPOSITORY / "groups", tmp_path / "fleet" / "groups")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    where = "import anvil_gen; print(anvil_gen.__file__)"
    found = subprocess.run([sys.executable, "-c", where], env=env, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(tmp_path / "site"))

    for host in HOSTS:
        render(tmp_path / "fleet" / "hosts" / host.name, tmp_path / "out", env=env, cwd=tmp_path)
        assert tree(tmp_path / "out") == rendered[host.stem]
        shutil.rmtree(tmp_path / "out")


CHANGED_FACTS = [
    ("flags.enable-metrics = true\n", "", {"tiers/heavy.yml": 1}),
    ("max_sequences = 16", "max_sequences = 32", {"tiers/heavy.yml": 1}),
    ('kv_cache_dtype = "fp8_e5m2"', 'kv_cache_dtype = "auto"', {"tiers/heavy.yml": 1}),
    # A shared fact changes where it appears: the router admits requests by it, and its label says so.
    (
        "context_length = 65536",
        "context_length = 32768",
        {"tiers/fast.yml": 1, "router/router.toml": 1, "router/compose.yml": 1},
    ),
    ('models = "C:/Users/sdoum/models"', 'models = "D:/models"', {"tiers/heavy.yml": 1, "tiers/fast.yml": 1}),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGED_FACTS)
def test_a_changed_fact_is_a_small_diff(
    old: str, new: str, expected: dict[str, int], tmp_path: Path, rendered: dict[str, dict[str, bytes]]
) -> None:
    text = (REPOSITORY / "hosts" / "fakoli-dark.toml").read_text("utf-8")
    assert text.count(old) == 1
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "fakoli-dark.toml").write_text(text.replace(old, new), "utf-8")
    render(tmp_path / "hosts" / "fakoli-dark.toml", tmp_path / "out")

    before, after = rendered["fakoli-dark"], tree(tmp_path / "out")
    removed = {path: set(before[path].split(b"\n")) - set(after[path].split(b"\n")) for path in before}
    added = {path: set(after[path].split(b"\n")) - set(before[path].split(b"\n")) for path in before}
    lines = {path: max(len(removed[path]), len(added[path])) for path in before if removed[path] or added[path]}
    assert lines == expected
    assert before.keys() == after.keys()
