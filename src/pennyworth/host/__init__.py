"""This machine: the project's own environments, its child processes, its progress lines, its places."""
