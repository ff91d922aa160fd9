"""Upstreams on this machine: a real language model, and one that answers as told."""
