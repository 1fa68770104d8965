"""What runs on a machine, and the verbs over Docker Compose. Rendering needs nothing of it."""
