"""The output: each view takes a result and prints it as text or as JSON."""
