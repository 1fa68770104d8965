"""What a plain installation does not bring."""

from __future__ import annotations

import pytest

from anvil_gen.cli import extras
from anvil_gen.diagnostics import DiagnosticError


def test_an_extra_that_is_missing_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras._PACKAGES, "pin", ("json", "no_such_package_1", "no_such_package_2"))
    with pytest.raises(DiagnosticError) as caught:
        extras.require_extra("pin")
    (found,) = caught.value.diagnostics

    assert found.code == "extra-is-not-installed"
    assert "no_such_package_1 and no_such_package_2" in found.detail
    assert 'pip install "anvil-gen[pin]"' in found.remedy


def test_an_extra_that_is_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras._PACKAGES, "pin", ("json",))
    extras.require_extra("pin")
