"""IAM policies: their derivation from the template, the PassRole statements, the bootstrap template."""
