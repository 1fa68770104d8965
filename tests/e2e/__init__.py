"""Tests against a real Docker engine; `conftest.py` says what they stand on."""
