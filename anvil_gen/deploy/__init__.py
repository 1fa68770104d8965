"""The rendered tree on disk: comparing, writing, and what would be overwritten."""
