"""Hold rendered command lines of SGLang against its own parser, and record which release took them, and when.

python tools/parse_commands.py 0.5.23 --sources /tmp/engines

The parser is imported from the release's sources, with stubs for what they need; nothing of SGLang runs. Where it
refuses a command line, nothing is written. `tests/unit/tools/test_parsed_commands.py` compares the record with what is
rendered now. Needs what `pip install -e .[dev]` installs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flag_sources import python_source

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "tests" / "unit" / "tools" / "sglang_commands.json"
ENGINE = "sglang"
_LINK = """
[links.cable]
address = "10.0.0.{number}"
interface = "eth1"
"""
_GROUP = """schema = 1
hosts = ["head", "worker"]
link = "cable"

[tiers.big]
engine = "sglang"
model = { path = "big" }
gpus = 2
context_length = 32768
gpu_memory_utilization = 0.85
"""


def main() -> int:
    """Ask the parser, and write the record; 1 where it refuses a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--sources", type=Path, required=True, help="folder that the sources are kept in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = commands(Path(folder))
    refused = {name: said for name, said in ask(arguments.version, arguments.sources, found).items() if said}
    for name, said in refused.items():
        sys.stdout.write(f"{name}: {said}\n")
    if not refused:
        record = {"version": arguments.version, "taken": f"{datetime.now(UTC):%Y-%m-%d}", "commands": found}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8", newline="\n")
    return 1 if refused else 0


def ask(version: str, sources: Path, found: dict[str, list[str]]) -> dict[str, str]:
    """Return what the parser of a release says to command lines; nothing to one that it takes."""
    done = subprocess.run(
        [sys.executable, HERE / "ask_parser.py", ENGINE, python_source(ENGINE, version, sources)],
        input=json.dumps(found),
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the words after the program, of each service of the examples and of a group that runs SGLang."""
    sys.path.insert(0, str(HERE.parent))
    from anvil_gen.deploy.pipeline import Generator  # noqa: PLC0415

    (folder / "hosts").mkdir()
    (folder / "groups").mkdir()
    for number, name in enumerate(("head", "worker"), 1):
        text = f'schema = 1\n\n[paths]\nmodels = "/m"\n{_LINK.format(number=number)}'
        (folder / "hosts" / f"{name}.toml").write_text(text, "utf-8")
    (folder / "groups" / "pair.toml").write_text(_GROUP, "utf-8")
    inventories = [*sorted((HERE.parent / "hosts").glob("*.toml")), *sorted((folder / "hosts").glob("*.toml"))]
    found = {}
    for plan in Generator().render_all(inventories):
        for tier in plan.host.stack.tiers:
            if tier.engine == ENGINE:
                found[f"{plan.host.name} {tier.name}"] = _words(plan.tree.data[f"tiers/{tier.name}.yml"])
    return found


def _words(compose: Any) -> list[str]:
    service = next(one for one in compose["services"].values() if "command" in one)
    return [word.replace("$$", "$") for word in service["command"]]


if __name__ == "__main__":
    sys.exit(main())
