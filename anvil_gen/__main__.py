"""The program: ``anvil-gen``, or ``python -m anvil_gen``."""

import gc

# Before anything is imported: what a run allocates lives to its end, so that collecting only costs time.
gc.disable()

from anvil_gen.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
