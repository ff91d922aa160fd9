"""GitHub as objects: a step's annotations, outputs and masks; its REST API; gh."""
