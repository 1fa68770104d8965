"""What is printed: each view takes a result and writes it as text or as JSON."""
