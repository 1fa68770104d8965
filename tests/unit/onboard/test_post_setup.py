"""What `init` makes and says after the files."""

from __future__ import annotations

import pytest

from anvil_gen.onboard.post_setup import local_requirement


@pytest.mark.parametrize(
    ("requirement", "codes"),
    [
        ("git+file:///home/me/anvil-gen@v1.2.3#egg=anvil-gen", ["requirement-of-this-machine"]),
        ("git+file:///home/me/anvil%20gen@0123abc", ["requirement-of-this-machine"]),
        ("git+https://git.example/anvil-gen@v1.2.3", []),
        ("anvil-gen==1.2.3", []),
        ("", []),
    ],
)
def test_a_requirement_that_only_this_machine_has_is_warned_of(requirement: str, codes: list[str]) -> None:
    found = local_requirement(requirement)

    assert [one.code for one in found] == codes
    assert all(requirement in one.detail and one.severity == "warning" for one in found)
