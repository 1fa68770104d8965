"""`pin` and `outdated`: what registries and the Hugging Face Hub say, kept in locks. The only room that asks them."""
