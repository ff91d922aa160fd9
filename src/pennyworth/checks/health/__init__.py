"""The health check: whether a deployed endpoint is well, seen with rights that change nothing.

`examine` goes through a table of named checks (checks.py); each finding says what was seen and what to do next.
`history` keeps a line for each run, `chart` draws them, and `issue` keeps one issue at GitHub for as long as
something is wrong.
"""
