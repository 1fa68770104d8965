"""What a machine has against what its inventory says, and why services do not come up."""
