"""What a text says: the variables that Compose puts into it, flags, durations and sizes, and what in it is secret."""
