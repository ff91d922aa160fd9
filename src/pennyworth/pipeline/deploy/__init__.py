"""A stack's parameters, as a deployment sets them."""
