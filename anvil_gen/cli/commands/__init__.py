"""The verbs, a module each: it reads the options, calls the rooms below, and hands the result to a view."""
