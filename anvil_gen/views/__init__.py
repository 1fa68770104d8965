"""What a person or a program reads: commands return values, views turn them into text or JSON."""
