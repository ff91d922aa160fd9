"""A deployment of the stack and what belongs to it: its settings, credentials and versions, and the way back."""
