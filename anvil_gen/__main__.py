"""``python -m anvil_gen``."""

from anvil_gen.cli import main

if __name__ == "__main__":
    main()
