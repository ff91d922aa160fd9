"""policies/bootstrap.yaml, made from the JSON documents beside it."""
