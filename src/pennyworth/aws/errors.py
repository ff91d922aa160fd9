"""Tell AWS errors apart."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

AWS_FAILURES = (BotoCoreError, ClientError)
"""The exceptions that a call to AWS may raise."""

_DENIED = ("AccessDenied", "Unauthorized", "NotAuthorized")
"""Parts of the services' error codes for a missing permission, such as AccessDeniedException or
UnauthorizedOperation."""

LOG_IN = "Log in with `aws sso login`, run `aws configure`, or set AWS_PROFILE."
"""What to do without valid credentials."""

_WITHOUT_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_REJECTED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html and what other services say."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})

_ABSENT = frozenset({"NoSuchEntity", "NoSuchHostedZone", "ResourceNotFoundException"})


def read_error_code(failure: ClientError) -> str:
    """Read the error code, such as NoSuchEntity."""
    return str(failure.response["Error"].get("Code", ""))


def is_denied(failure: BaseException | None) -> bool:
    """Check whether a call failed because of a missing permission."""
    return isinstance(failure, ClientError) and any(word in read_error_code(failure) for word in _DENIED)


def lacks_credentials(failure: BaseException | None) -> bool:
    """Check whether a call failed because there are no valid AWS credentials."""
    if isinstance(failure, ClientError):
        return read_error_code(failure) in _REJECTED_CREDENTIALS
    return isinstance(failure, _WITHOUT_CREDENTIALS)


def is_expired(failure: BaseException | None) -> bool:
    """Check whether a call failed because the temporary credentials have expired."""
    return isinstance(failure, ClientError) and read_error_code(failure) in _EXPIRED


def is_absent(failure: ClientError) -> bool:
    """Check whether a call failed because its object does not exist."""
    return read_error_code(failure) in _ABSENT


def is_absent_stack(failure: ClientError) -> bool:
    """Check whether a call failed because the stack does not exist. CloudFormation has no error code for that."""
    return "does not exist" in str(failure)


def get_or_none(call: Any, **arguments: Any) -> Any:
    """Call AWS.

    Args:
        call: a method of a boto3 client.
        **arguments: the arguments of the call.
    Returns:
        the response; None if the object does not exist.
    Raises:
        ClientError: the call failed for another reason.
    """
    try:
        return call(**arguments)
    except ClientError as failure:
        if is_absent(failure):
            return None
        raise
