"""What serves this repository alone, and is in nobody's wheel."""
