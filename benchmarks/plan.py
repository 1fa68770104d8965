"""Time `plan` against `render`, and `plan --all` over a fleet.

    .venv/bin/python benchmarks/plan.py [--inventories 100]

The fleet is that of `benchmarks/scale.py`, rendered and committed. Then one host is edited, or all of them are. Told is
the median of whole processes in milliseconds, by the clock and by the processor: where other work holds the cores, the
second is the one to compare. Allowed: 3 s for `plan --all` over 100 hosts, and for `plan` of one host twice a `render`.
"""

from __future__ import annotations

import argparse
import compileall
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scale import inventory

RUNS = 3


def run(fleet: Path, *arguments: str) -> tuple[float, float]:
    """Run a command in the fleet, and return its wall time and its processor time in milliseconds."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "anvil_gen", *arguments], cwd=fleet, capture_output=True, check=False)
    if done.returncode not in (0, 2):
        sys.exit(done.stderr.decode()[:2000])
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took * 1000, busy * 1000


def told(fleet: Path, *arguments: str) -> None:
    """Print the median of a command."""
    times = [run(fleet, *arguments) for _ in range(RUNS)]
    wall, busy = (statistics.median(values) for values in zip(*times, strict=True))
    print(f"{wall:8.0f} ms {busy:8.0f} ms   {' '.join(arguments)}")


def git(fleet: Path, *arguments: str) -> None:
    """Run git in the fleet."""
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments], cwd=fleet, check=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inventories", type=int, default=100)
    number = parser.parse_args().inventories
    compileall.compile_dir(Path(__file__).resolve().parent.parent / "anvil_gen", quiet=1)
    with tempfile.TemporaryDirectory() as name:
        fleet = Path(name)
        (fleet / "hosts").mkdir()
        paths = [fleet / "hosts" / f"box{at}.toml" for at in range(number)]
        for at, path in enumerate(paths):
            path.write_text(inventory(at), "utf-8")
        run(fleet, "render", "--all")
        git(fleet, "init", "-q")
        git(fleet, "add", "-A")
        git(fleet, "commit", "-q", "-m", "fleet")
        print(f"{number} hosts, nothing edited")
        for arguments in (("plan", "--all"), ("plan", "--all", "--against", "HEAD"), ("render", "--all", "--check")):
            told(fleet, *arguments)
        paths[0].write_text(paths[0].read_text("utf-8").replace("port = 30000", "port = 31000"), "utf-8")
        print("one edited")
        for arguments in (("render", "box0", "--check"), ("plan", "box0"), ("plan", "box0", "--against", "HEAD")):
            told(fleet, *arguments)
        for path in paths:
            path.write_text(path.read_text("utf-8").replace("port = 30001", "port = 31001"), "utf-8")
        print("all edited")
        for arguments in (("plan", "--all"), ("plan", "--all", "--against", "HEAD"), ("render", "--all", "--check")):
            told(fleet, *arguments)


if __name__ == "__main__":
    main()
