"""What a reviewer is told before a change is merged or rolled out: what happens to each service, and why."""
