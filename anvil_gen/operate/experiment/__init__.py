"""The experiment slot: start a trial, look at it, and make a tier of it."""
