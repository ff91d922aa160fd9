"""The policy documents in policies/, derived from the template."""
