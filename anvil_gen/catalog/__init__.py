"""What is known as data: engines, routers, GPU vendors and logs, found by listing the folders of `templates/`."""
