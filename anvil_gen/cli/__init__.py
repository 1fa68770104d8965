"""The command line: options, a module for each command, and views in text and JSON."""
