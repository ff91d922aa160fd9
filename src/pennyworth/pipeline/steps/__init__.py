"""The steps of the deployment workflow, one a module. `python3 -m pennyworth.pipeline.steps NAME` runs one.

Each has `TITLE` and `run(environ)`, which takes its settings from the environment, because that is how a
workflow hands values over without a shell reading them, and returns what the job's summary says of it.
"""
