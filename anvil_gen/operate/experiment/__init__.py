"""The experiment slot: start a trial, show its status, and promote it to a tier."""
