"""How this program was installed: a command that brings what its plain installation lacks differs by it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

_NAME = "anvil-gen"


def install_command(extra: str, packages: Sequence[str], prefix: Path | None = None) -> str:
    """Return the command that brings an extra, which has some packages, to where this program is."""
    here = prefix or Path(sys.prefix)
    if (here / "pipx_metadata.json").is_file():
        return f"pipx inject {_NAME} {' '.join(packages)}"
    receipt = here / "uv-receipt.toml"
    if receipt.is_file():
        return f"uv tool install {' '.join(f'--with {name}' for name in packages)} {_source(receipt)}"
    return f'{"uv pip" if _is_of_uv(here) else "pip"} install "{_NAME}[{extra}]"'


def _source(receipt: Path) -> str:
    """Return from where uv installed this program: a folder, a repository, or an index by its name."""
    try:
        requirements = tomllib.loads(receipt.read_text("utf-8")).get("tool", {}).get("requirements", [])
    except (OSError, ValueError):
        return _NAME
    own = next((one for one in requirements if isinstance(one, dict) and one.get("name") == _NAME), {})
    git = f"git+{own['git']}" if "git" in own else None
    return str(own.get("directory") or own.get("editable") or git or _NAME)


def _is_of_uv(prefix: Path) -> bool:
    """Tell whether uv made an environment, which then has no pip."""
    config = prefix / "pyvenv.cfg"
    return config.is_file() and any(line.startswith("uv =") for line in config.read_text("utf-8").splitlines())
