"""What AWS answers where it does not do what it is asked, told apart in one place."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

AWS_FAILURES = (BotoCoreError, ClientError)
"""What a call to AWS may raise."""

_DENIED = ("AccessDenied", "Unauthorized", "NotAuthorized")
"""In one of these forms each service's code says that a permission is missing: AccessDeniedException,
UnauthorizedOperation ..."""

_ABSENT = frozenset({"NoSuchEntity", "NoSuchHostedZone", "ResourceNotFoundException"})


def read_error_code(failure: ClientError) -> str:
    """The service's own word for what went wrong, such as NoSuchEntity."""
    return str(failure.response["Error"].get("Code", ""))


def is_denied(failure: BaseException | None) -> bool:
    """Whether AWS refused for want of a permission."""
    return isinstance(failure, ClientError) and any(word in read_error_code(failure) for word in _DENIED)


def is_absent(failure: ClientError) -> bool:
    """Whether what was asked for is not there."""
    return read_error_code(failure) in _ABSENT


def is_absent_stack(failure: ClientError) -> bool:
    """Whether CloudFormation has no stack of that name, for which it has no code of its own."""
    return "does not exist" in str(failure)


def get_or_none(call: Any, **arguments: Any) -> Any:
    """What a call answers; None where what it asks for is not there."""
    try:
        return call(**arguments)
    except ClientError as failure:
        if is_absent(failure):
            return None
        raise
