"""Who issues GitHub's OIDC tokens for AWS: https://docs.github.com/actions/concepts/security/openid-connect."""

ISSUER = "token.actions.githubusercontent.com"
"""The issuer of github.com."""
AUDIENCE = "sts.amazonaws.com"

GITHUB = "github.com"
_RESIDENT = ".ghe.com"
"""What the hosts of enterprises end with whose data resides in a region of their choice."""
_TOKENS = "token.actions."
_SERVER_PATH = "/_services/token"


def name_issuer(host: str = GITHUB, enterprise: str = "") -> str:
    """Return the issuer of a host's tokens, without https://.

    Args:
        host: github.com, NAME.ghe.com, or the host of a GitHub Enterprise Server.
        enterprise: the name of an enterprise on github.com that has an issuer of its own:
            https://docs.github.com/rest/actions/oidc.
    """
    if host == GITHUB:
        return f"{ISSUER}/{enterprise}" if enterprise else ISSUER
    return f"{_TOKENS}{host}" if host.endswith(_RESIDENT) else f"{host}{_SERVER_PATH}"


def find_host(issuer: str) -> str:
    """Return the host whose tokens an issuer issues."""
    if issuer == ISSUER or issuer.startswith(f"{ISSUER}/"):
        return GITHUB
    return issuer.removesuffix(_SERVER_PATH).removeprefix(_TOKENS)
