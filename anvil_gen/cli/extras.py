"""What few commands need, and a plain installation does not bring."""

from __future__ import annotations

from importlib.util import find_spec

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.installation import install_command

_PACKAGES: dict[str, tuple[str, ...]] = {"pin": ("httpx2", "huggingface_hub")}
"""Extra of the package -> what it brings."""


def require_extra(name: str) -> None:
    """Check that an extra is installed.

    Raises:
        DiagnosticError: it is not.
    """
    missing = [package for package in _PACKAGES[name] if find_spec(package) is None]
    if missing:
        detail = f"{' and '.join(missing)} cannot be imported"
        remedy = f"install it where anvil-gen is:\n\n    {install_command(name, _PACKAGES[name])}"
        raise DiagnosticError([Diagnostic(code="extra-is-not-installed", detail=detail, remedy=remedy)])
