"""A release: what states its version, the commit that does, what is built of it, and how it is published.

prepared = prepare("0.2.0", ...)     # nothing that anybody sees
publish(github, prepared, ...)       # all of it, or nothing
"""
