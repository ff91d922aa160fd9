"""Which repository and which host a git remote's address names."""

import pytest

from pennyworth.aws.github_oidc import ISSUER, find_host, name_issuer
from pennyworth.github.remote import is_on, read_remote


@pytest.mark.parametrize(
    ("remote", "host", "name"),
    [
        ("https://github.com/Octo/pennyworth.git", "github.com", "Octo/pennyworth"),
        ("git@github.com:Octo/pennyworth.git", "github.com", "Octo/pennyworth"),
        ("ssh://git@ssh.github.com:443/Octo/pennyworth.git", "github.com", "Octo/pennyworth"),
        ("https://octo.ghe.com/Octo/pennyworth", "octo.ghe.com", "Octo/pennyworth"),
        ("octo@octo.ghe.com:Octo/pennyworth.git", "octo.ghe.com", "Octo/pennyworth"),
        ("https://token@git.example.org:8443/Octo/pennyworth", "git.example.org", "Octo/pennyworth"),
    ],
)
def test_a_remote_is_on_its_host_alone(remote: str, host: str, name: str) -> None:
    assert read_remote(remote) == name
    assert is_on(remote, host)
    for other in {"github.com", "octo.ghe.com", "example.org.evil.com", "hub.com"} - {host}:
        assert not is_on(remote, other)


def test_a_folder_is_on_no_host() -> None:
    assert not is_on("/srv/github.com/pennyworth", "github.com")


@pytest.mark.parametrize(
    ("host", "enterprise", "issuer"),
    [
        ("github.com", "", ISSUER),
        ("github.com", "octo-corp", f"{ISSUER}/octo-corp"),
        ("octo.ghe.com", "", "token.actions.octo.ghe.com"),
        ("git.example.org", "", "git.example.org/_services/token"),
    ],
)
def test_each_host_has_an_issuer(host: str, enterprise: str, issuer: str) -> None:
    assert name_issuer(host, enterprise) == issuer
    assert find_host(issuer) == host
