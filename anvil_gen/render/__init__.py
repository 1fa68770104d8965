"""From a `Stack` to the texts of a deploy tree: templates, quoting, and the check that a file holds what it should."""
