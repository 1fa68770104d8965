"""What is checked before services are started, a topic a module; `run` has the list."""
