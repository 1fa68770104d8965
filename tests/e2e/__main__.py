"""`python -m e2e COMMAND...`: run a command against the engine of the tests; `--prepare` makes its images only."""

from __future__ import annotations

import os
import subprocess
import sys

from e2e.daemon import DaemonError
from e2e.engine import EngineError, running_engine
from e2e.materials import MaterialError


def main() -> int:
    """Run the command that is given, or a shell, and return its exit code."""
    try:
        with running_engine() as engine:
            if sys.argv[1:] == ["--prepare"]:
                return 0
            command = sys.argv[1:] or [os.environ.get("SHELL", "/bin/sh")]
            return subprocess.run(command, env={**os.environ, **engine.environment}, check=False).returncode
    except (EngineError, DaemonError, MaterialError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
