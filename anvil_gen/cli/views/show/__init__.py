"""A host as a picture: what it shows, and one module for each form of it."""
