"""A fleet for a machine: what is found there, the answers that follow, and the files that copier makes of them."""
