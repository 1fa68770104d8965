"""From an inventory and the catalog to a `Stack`: every option with its value, every service ready to lay out."""
