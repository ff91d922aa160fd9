"""This machine: the environments that the project makes for itself, its child processes, its progress lines."""
