"""What must hold. `python3 -m tests` runs it; see __main__.py."""
