"""How many services an import says, and how: of all fixtures, as docs/import.md has it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from compose_cli import LOCAL_BINARY
from importing import Importing
from places import REPOSITORY

TESTS = REPOSITORY / "tests"
FORMS = TESTS / "forms"
DIFFERENT = {
    "35-secrets-env": {"command", "environment"},
}
"""Source -> keys of its services that an inventory cannot say, or must not."""
TITLES = {
    "fields": "a tier of its engine, flags as fields",
    "words": "a tier of its engine, the command as it was",
    "bare": "a tier of a custom image",
    "service": "Compose's own keys",
}
PAGE = REPOSITORY / "docs" / "import.md"


SOURCES = [*sorted(FORMS.glob("*.yml")), *sorted((TESTS / "imports").glob("*.yml"))]


def counted_of(source: Path, folder: Path) -> Counter[str]:
    """Import a source, compare what comes out with what is known of it, and return what is counted."""
    counted: Counter[str] = Counter()
    folder.mkdir()
    imported = Importing(folder).run(source.read_text("utf-8")).imported

    assert imported.residue is not None, source.stem
    assert {str(one.path[2]) for one in imported.residue} == DIFFERENT.get(source.stem, set()), source.stem
    data = tomllib.loads(imported.text)
    for choice in imported.choices:
        tier = data["tiers"].get(choice.name, {}) if choice.section == "tiers" else {}
        counted[choice.form] += 1
        counted[f"{choice.form} identical"] += not imported.residue_of(choice.service)
        counted["engines"] += bool(choice.engine)
        counted["tiers"] += bool(choice.engine) and choice.form in ("fields", "words") and "override" not in tier
    if source.parent == FORMS:
        written = tomllib.loads((FORMS / f"{source.stem}.toml").read_text("utf-8"))
        assert data["tiers"].keys() == written["tiers"].keys()
        for name, table in written["tiers"].items():
            assert {**written.get("defaults", {}), **table}["engine"] in (data["tiers"][name]["engine"], "custom")
    return counted


def test_sources_are_imported_and_proved_and_the_page_has_the_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")
    counted: Counter[str] = Counter()
    for source in SOURCES:
        counted += counted_of(source, tmp_path / source.stem)

    lines = ["| form | services | identical |", "| --- | --- | --- |"]
    lines += [f"| {title} | {counted[form]} | {counted[f'{form} identical']} |" for form, title in TITLES.items()]
    total, same = (sum(counted[f"{form}{suffix}"] for form in TITLES) for suffix in ("", " identical"))
    lines.append(f"| all, in {len(SOURCES)} sources | {total} | {same} |")
    engines, tiers = counted["engines"], counted["tiers"]
    sentence = f"Of {engines} services of engines, {tiers} are tiers of their engine without `override`."

    assert same >= 0.95 * total
    assert counted["tiers"] >= 0.7 * counted["engines"]
    assert "\n".join([*lines, "", sentence]) in PAGE.read_text("utf-8")
