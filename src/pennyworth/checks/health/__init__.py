"""The health check of a deployed endpoint. It needs only read permissions.

`examine` runs the checks of checks.py; each finding says what was found and what to do next. `history` stores a
line for each run, `chart` draws them, and `issue` keeps one GitHub issue open while something is wrong.
"""
