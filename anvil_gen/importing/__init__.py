"""What runs already becomes an inventory: compose files, run lines and containers, with the proof."""
