"""What is typed and what is printed: options, a module for each verb, and views in text and JSON."""
