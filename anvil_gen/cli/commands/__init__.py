"""The commands, a module each: it reads the options, calls the rooms below, and passes the result to a view."""
