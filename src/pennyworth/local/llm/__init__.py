"""Local providers: a real language model, and one with scripted answers."""
