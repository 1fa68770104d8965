"""Capture the flags of releases of an engine into its timeline, `templates/engines/ENGINE/flags.json`.

python tools/capture_flags.py vllm 0.32.0 0.33.0 --sources /tmp/engines

The versions are added to those that the timeline has. Each is counted a second way, and nothing is written where the
two disagree. `replaced`, what to write instead of a flag that went, is kept by hand in the timeline, and left as it is.

Needs Python 3.11, and in the same environment: pydantic, regex, msgspec, packaging, pyyaml, numpy, huggingface_hub.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import flag_timeline
from flag_count import counted
from flag_programs import PROGRAMS
from flag_readers import READERS
from flag_sources import python_source

HERE = Path(__file__).resolve().parent
ENGINES = HERE.parent / "templates" / "engines"


def main() -> int:
    """Capture the versions, and write the timeline; 1 where something is not resolved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("vllm", "sglang", *PROGRAMS, *READERS))
    parser.add_argument("versions", nargs="+")
    parser.add_argument("--sources", type=Path, required=True, help="folder that the sources are kept in")
    arguments = parser.parse_args()
    reports = {version: capture(arguments.engine, version, arguments.sources) for version in arguments.versions}
    for version, report in reports.items():
        line = f"{version}: {size(report)} captured, {report['counted']} counted"
        sys.stdout.write("\n  ".join([line, *report["problems"]]) + "\n")
    if any(report["problems"] for report in reports.values()):
        return 1
    write(ENGINES / arguments.engine / "flags.json", reports)
    return 0


def capture(engine: str, version: str, sources: Path) -> dict[str, Any]:
    """Return the flags of one version, with what is not resolved: modules that fail, flags that one way lacks."""
    reader = {**PROGRAMS, **READERS}.get(engine)
    if reader is not None:
        return reader(version, sources)
    source = python_source(engine, version, sources)
    done = subprocess.run(
        [sys.executable, HERE / "dump_parser.py", engine, source], check=True, capture_output=True, text=True
    )
    report: dict[str, Any] = json.loads(done.stdout)
    names = counted(engine, source)
    known = {
        name: {name, *(word.lstrip("-") for word in flag.get("aliases", ()))} for name, flag in report["flags"].items()
    }
    lacking = sorted(names - set().union(*known.values()))
    beyond = sorted(name for name, spellings in known.items() if not spellings & names)
    problems = [f"body of {name} fails: {why}" for name, why in report["failed"].items()]
    problems += [f"only counted: {name}" for name in lacking] + [f"only captured: {name}" for name in beyond]
    return {**report, "counted": len(names), "problems": problems}


def size(report: dict[str, Any]) -> int:
    """Return the number of flags and variables that were captured."""
    return len(report["flags"]) + len(report.get("variables", {}))


def write(file: Path, reports: dict[str, dict[str, Any]]) -> None:
    """Add versions to a timeline, or begin it."""
    data = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    captures = {version: expand(data, version) for version in data.get("versions", ())}
    captures |= {version: report["flags"] for version, report in reports.items()}
    counts = {**data.get("counts", {})}
    counts |= {version: [size(report), report["counted"]] for version, report in reports.items()}
    order = sorted(captures, key=_numbers)
    variables = {version: expand(data, version, "variables") for version in data.get("versions", ())}
    variables |= {version: report.get("variables", {}) for version, report in reports.items()}
    replaced = [data.get("replaced", {}), *(report.get("replaced", {}) for report in reports.values())]
    result = {
        "versions": order,
        "abbreviations": reports[order[-1]]["abbreviations"]
        if order[-1] in reports
        else data.get("abbreviations", False),
        "counts": {version: counts[version] for version in order},
        "replaced": dict(sorted({name: text for table in reversed(replaced) for name, text in table.items()}.items())),
        "flags": flag_timeline.timeline({version: captures[version] for version in order}),
        "variables": flag_timeline.timeline({version: variables[version] for version in order}),
    }
    result = {key: value for key, value in result.items() if value}
    file.write_text(flag_timeline.text(result), "utf-8", newline="\n")


def expand(data: dict[str, Any], version: str, table: str = "flags") -> dict[str, Any]:
    """Return the flags of one version of a timeline, or its variables, as they were captured."""
    sys.path.insert(0, str(HERE.parent))
    from anvil_gen.catalog.flag_timeline import facts_at, version_key  # noqa: PLC0415

    found = {}
    for name, history in data.get(table, {}).items():
        facts = facts_at(history, version_key(version))
        if facts is not None:
            found[facts.pop("name", name)] = facts
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


if __name__ == "__main__":
    sys.exit(main())
