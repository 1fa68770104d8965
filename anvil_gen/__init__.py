"""Render the facts of a GPU host, kept once in TOML, into Docker Compose files that can be reviewed."""

__all__ = ["__version__"]

try:
    from anvil_gen._version import __version__
except ImportError:  # a copy of the sources that nobody has built or installed
    __version__ = "0.0.0.dev0"
