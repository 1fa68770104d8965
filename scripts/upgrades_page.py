"""The page of upgrades: what each step of vLLM's versions changes for the tiers of the example with four GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from page_parts import table

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.flag_check import Finding, FlagRules, flag_rules, upgrade_findings

HOST = Path("hosts/lab-quad.toml")
ENGINE = "vllm"
IMAGE = "vllm/vllm-openai:v{}"
TIERS = ("chat", "coder")
# What tiers like these carried when 0.9 was new, and what came and went since.
OLDER: dict[str, Any] = {
    "disable-log-requests": True,
    "enable-reasoning": True,
    "num-scheduler-steps": 8,
    "max-seq-len-to-capture": 32768,
    "rope-scaling": {"rope_type": "yarn", "factor": 2.0},
    "guided-decoding-backend": "xgrammar",
    "task": "generate",
    "cuda-graph-sizes": [8, 16],
    "swap-space": 4,
    "max-num-partial-prefills": 2,
    "calculate-kv-scales": True,
}
INTRODUCTION = """# Upgrades of vLLM

What each step from one release of vLLM to the next does to the tiers `chat` and `coder` of
[hosts/lab-quad.toml](../hosts/lab-quad.toml): what is rendered otherwise, since a field is written as the version wants
it; and what the check of flags says of flags that such tiers carried when 0.9 was new, at the first version that
refuses or deprecates them. `anvil-gen plan` says the same of your own tiers when you change an `image`.

The flags of a version are those of its own parser (`tools/capture_flags.py`). `scripts/test --vllm` asks the parser of
one of them again, flag by flag.
"""


def upgrades_page(repository: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    yield from INTRODUCTION.splitlines()
    yield ""
    rules = list(_releases())
    rendered = [_rendered(repository, one.release.version) for one in rules]
    rows = (
        (f"{before.release.version} → {after.release.version}", _changes(*words), _reports(before, after))
        for (before, after), words in zip(pairwise(rules), pairwise(rendered), strict=True)
    )
    yield from table(("upgrade", "rendered otherwise", "reported of older flags"), rows)


def _releases() -> Iterator[FlagRules]:
    """Yield what is known of the last captured release of each minor version."""
    catalog = Catalog()
    engine, timeline = catalog.engine(ENGINE), catalog.flag_timeline(ENGINE)
    if engine is None or timeline is None:
        raise LookupError(ENGINE)
    for _, versions in groupby(timeline.versions, key=lambda version: version.split(".")[:2]):
        rules = flag_rules(timeline, engine, IMAGE.format([*versions][-1]))
        if rules is not None:
            yield rules


def _rendered(repository: Path, version: str) -> dict[str, set[str]]:
    """Return the command and the environment of each tier at a version."""
    text = (repository / HOST).read_text("utf-8")
    line = f'engine = "{ENGINE}"\n'
    pinned = text.replace(line, f'{line}image = "{IMAGE.format(version)}"\n')
    files = Generator().render(repository / HOST, text=pinned).tree.data
    services = [files[f"tiers/{tier}.yml"]["services"][tier] for tier in TIERS]
    return {
        tier: {*_flags(service["command"]), *(f"{name}={value}" for name, value in service["environment"].items())}
        for tier, service in zip(TIERS, services, strict=True)
    }


def _flags(command: Sequence[str]) -> list[str]:
    """Return the words of a command, a flag together with the values that follow it."""
    found: list[str] = []
    for word in command:
        if word.startswith("--") or not found:
            found.append(word)
        else:
            found[-1] += f" {word}"
    return found


def _changes(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> str:
    """Return what both tiers gain and lose, each word once, and for which of them where it is not both."""
    words = sorted(set().union(*before.values(), *after.values()))
    return "<br>".join(
        f"{sign} `{word}`{_owners(tiers)}"
        for word in words
        for sign, old, new in (("+", before, after), ("-", after, before))
        if (tiers := [tier for tier in TIERS if word in new[tier] - old[tier]])
    )


def _owners(tiers: Sequence[str]) -> str:
    return "" if len(tiers) == len(TIERS) else f" ({', '.join(tiers)})"


def _reports(before: FlagRules, after: FlagRules) -> str:
    found = upgrade_findings(before, after, OLDER)
    return "<br>".join(_report(finding) for findings in found.values() for finding in findings)


def _report(finding: Finding) -> str:
    detail = re.sub(r'"(--[\w-]+)"', r"`\1`", finding.detail)
    return f"{finding.severity}: {detail}; {finding.remedy}"
