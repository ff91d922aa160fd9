"""Issuer and audience of GitHub's OIDC tokens for AWS: https://docs.github.com/actions/concepts/security/openid-connect."""

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
