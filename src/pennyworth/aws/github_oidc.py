"""GitHub's tokens as AWS takes them: https://docs.github.com/actions/concepts/security/openid-connect."""

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
