"""The commands that operate a deployment through Docker Compose. Rendering needs none of this."""
