"""Judging something: a config file, an endpoint, a stack, a set-up."""
