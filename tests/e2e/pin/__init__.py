"""Pins: real registries, and a stub of the hub."""
