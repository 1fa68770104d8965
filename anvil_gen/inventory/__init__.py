"""The TOML format: its structs and field types, how a file is decoded with all its errors, and edited."""
