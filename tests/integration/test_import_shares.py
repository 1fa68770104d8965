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
    "28": {"configs", "secrets", "volumes"},
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


@pytest.fixture(scope="module")
def counted() -> Counter[str]:
    """Return what was counted while the fixtures were imported, which is one test each."""
    return Counter()


SOURCES = [*sorted(FORMS.glob("*.yml")), *sorted((TESTS / "imports").glob("*.yml"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_source_is_imported_and_proved(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counter[str]
) -> None:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")

    imported = Importing(tmp_path).run(source.read_text("utf-8")).imported

    assert imported.residue is not None
    assert {str(one.path[2]) for one in imported.residue} == DIFFERENT.get(source.stem, set())
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


def test_the_page_has_the_shares(counted: Counter[str]) -> None:
    lines = ["| form | services | identical |", "| --- | --- | --- |"]
    lines += [f"| {title} | {counted[form]} | {counted[f'{form} identical']} |" for form, title in TITLES.items()]
    total, same = (sum(counted[f"{form}{suffix}"] for form in TITLES) for suffix in ("", " identical"))
    lines.append(f"| all, in {len(SOURCES)} sources | {total} | {same} |")
    engines, tiers = counted["engines"], counted["tiers"]
    sentence = f"Of {engines} services of engines, {tiers} are tiers of their engine without `override`."

    assert total > 0, "run the whole file: the sources are counted by its other tests"
    assert same >= 0.95 * total
    assert counted["tiers"] >= 0.7 * counted["engines"]
    assert "\n".join([*lines, "", sentence]) in PAGE.read_text("utf-8")
