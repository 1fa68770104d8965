"""`init`: detect a host, derive answers, and let copier scaffold a fleet repository from them."""
