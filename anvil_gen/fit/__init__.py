"""Whether a model fits its GPUs: facts of models, the caches that engines make of them, and what is left."""
