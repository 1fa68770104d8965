"""What a large fleet costs: many inventories of eight tiers, read, resolved, rendered and proven in one process.

    .venv/bin/python benchmarks/scale.py [--inventories 1000]

Each inventory is another file with other values; half of the tiers run on one engine, half on another. Nothing is
written. Told are the seconds, the milliseconds per inventory and the processor's time at three sizes of the fleet, and
the memory on the way. Where other work holds the cores, the processor's time is the one to compare.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

# As the program itself does, before anything is imported.
gc.disable()

import argparse  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from anvil_gen.deploy.pipeline import Generator  # noqa: E402

TIERS = 8
STEP = 100
SHARES = (10, 30, 100)
"""Sizes at which the time is told, in per cent of the whole."""

HEAD = """schema = 1

[paths]
models = "/srv/models {number}"

[hfcache]
volume = "hfcache-{number}"

[router]
api_key_env = "ROUTER_TOKEN"
aliases.main = "tier0"
"""
CARD = """
[gpus.card{card}]
uuid = "GPU-{number:08x}-1771-414c-e116-{card:012x}"
memory_mib = 97887
compute_capability = "12.0"
"""
TIER = """
[tiers.tier{card}]
engine = "{engine}"
gpus = ["card{card}"]
port = {port}
model = {{ path = "model {number}-{card}" }}
context_length = {length}
gpu_memory_utilization = 0.90
max_sequences = 16
environment.HF_HUB_OFFLINE = "1"
environment.NOTE = "box {number}: $HOME # {card}"
flags.enable-metrics = true
flags.seed = {number}
flag_check = false
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--inventories", type=int, default=1000, help="how many (default 1000)")
    count = parser.parse_args().inventories
    with tempfile.TemporaryDirectory() as scratch:
        hosts = Path(scratch) / "hosts"
        hosts.mkdir()
        inventories = [hosts / f"box{number}.toml" for number in range(count)]
        for number, path in enumerate(inventories):
            path.write_text(inventory(number), "utf-8")
        generator = Generator()
        generator.render(inventories[0])  # reads and compiles the templates
        sizes = [count * share // 100 for share in SHARES]
        start, busy, files = time.perf_counter(), time.process_time(), 0
        before = resident_mib()
        for done, path in enumerate(inventories, 1):
            files += len(generator.render(path).tree.files)
            if done in sizes:
                took = time.perf_counter() - start
                cpu = time.process_time() - busy
                each = 1000 * took / done
                print(f"{done:6} inventories {took:8.2f} s {each:8.2f} ms each, {cpu:8.2f} s of the processor")
            if done % STEP == 0:
                print(f"{done:6} inventories {resident_mib() - before:+8.1f} MiB", file=sys.stderr)
        print(f"{files} files; memory grew by {resident_mib() - before:.1f} MiB from {before:.0f}")


def inventory(number: int) -> str:
    """Return the inventory of one box."""
    text = HEAD.format(number=number)
    for card in range(TIERS):
        engine = ("vllm", "sglang")[card % 2]
        values = {"number": number, "card": card, "engine": engine}
        text += CARD.format(**values) + TIER.format(**values, port=30000 + card, length=32768 + number)
    return text


def resident_mib() -> float:
    """Return the memory that this process has in use; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
