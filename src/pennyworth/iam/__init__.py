"""Permission documents: how they are derived, what PassRole names, the bootstrap template."""
