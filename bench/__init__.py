"""Measurements against peers: both sides in one run, on one machine. Ratios are what holds elsewhere."""
