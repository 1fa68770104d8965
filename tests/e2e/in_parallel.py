"""How tests with an engine are dealt out to processes: what shares a container goes to one, in its order."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

_PART = re.compile(r"tests/e2e/(?P<folder>\w+)/[^\[]*(?:\[(?P<router>\w+))?")
_LOOKS_AT_CARDS = ("test_cards.py", "test_doctor.py", "test_experiment.py", "test_first_run.py")


def part(nodeid: str) -> str:
    """Return what a test belongs to: its file, or more where fixtures or the machine's cards are shared."""
    file = nodeid.partition("::")[0]
    if file.endswith(_LOOKS_AT_CARDS):  # one lets every container see all of them for a while
        return "cards"
    if found := _PART.match(nodeid):
        return found["folder"] if found["folder"] != "contract" else f"contract of {found['router']}"
    return file


class ByPart(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each part to one process, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)
