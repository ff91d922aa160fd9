"""policies/bootstrap.yaml, generated from the JSON documents beside it."""
