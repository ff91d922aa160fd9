"""Real clients, unmodified, against the real gateway: what docs/clients.md says of each is what this part sees."""
