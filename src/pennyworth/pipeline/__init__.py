"""What runs in a workflow step: the package, smoke tests, and what a deployment is judged by."""
