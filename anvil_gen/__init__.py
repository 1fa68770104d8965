"""anvil-gen: per-host TOML inventories rendered into Docker Compose files."""

__version__ = "0.1.0"
