"""The custom domain's certificate, as ACM has it and as the endpoint shows it."""

import socket
import ssl
import time

from pennyworth.aws.certificates import read_expiry
from pennyworth.checks.finding import Finding, Findings, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject

_WARNING_DAYS = 30
"""ACM renews 60 days before the end: https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html"""
_DAY_SECONDS = 86400
_TIMEOUT_SECONDS = 10.0

_RENEWAL = {
    # https://docs.aws.amazon.com/acm/latest/APIReference/API_RenewalSummary.html
    "PENDING_VALIDATION": warning(
        "ACM can't prove the domain, and so not renew its certificate",
        "Put its record back into the hosted zone: `pennyworth bootstrap` does.",
    ),
    "FAILED": unhealthy(
        "ACM gave up renewing the certificate",
        "Put its record back into the hosted zone (`pennyworth bootstrap`), or request another certificate.",
    ),
}


def check_certificate(subject: Subject) -> Findings:
    """What ACM says of it."""
    if not subject.domain:
        yield ok("none is needed without a custom domain")
        return
    given = subject.parameters.get("AcmCertificateArn", "")
    arn = given or next(iter(subject.list_resources("AWS::CertificateManager::Certificate")), "")
    if not arn:
        yield unknown("the stack names no certificate")
        return
    found = subject.account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    if found["Status"] != "ISSUED":
        yield unhealthy(
            f"it is {found['Status']}",
            "Request or import another one, and deploy with its ARN in ACM_CERTIFICATE_ARN.",
        )
        return
    renewal = _RENEWAL.get(found.get("RenewalSummary", {}).get("RenewalStatus", ""))
    if renewal:
        yield renewal
    if not found.get("InUseBy") and not subject.emulator:  # which keeps no record of it
        yield warning("nothing uses it", "Deploy again: the domain must name this certificate.")
    renewed = found.get("Type") != "IMPORTED"
    yield _judged(
        read_expiry(found),
        "ACM's",
        "See in ACM's console why it is not renewed."
        if renewed
        else "ACM renews no imported one: import its successor.",
        subject.limits.certificate_days,
    )


def check_served_certificate(subject: Subject) -> Findings:
    """What the endpoint shows to whoever calls it."""
    if not subject.domain:
        yield ok("none is needed without a custom domain")
        return
    if subject.tls is None:
        yield unknown("the local AWS speaks no TLS")
        return
    yield check_shown_certificate(subject.domain, subject.tls, subject.limits.certificate_days)


def check_shown_certificate(domain: str, address: tuple[str, int], limit: float) -> Finding:
    """Shake hands with TLS, and judge the certificate that is shown.

    Args:
        domain: what the certificate must be for.
        address: host and port to connect to.
        limit: how many days it must at least be good.
    """
    try:
        with (
            socket.create_connection(address, _TIMEOUT_SECONDS) as connection,
            ssl.create_default_context().wrap_socket(connection, server_hostname=domain) as tls,
        ):
            ends = ssl.cert_time_to_seconds(str((tls.getpeercert() or {})["notAfter"]))
    except socket.gaierror:
        return unhealthy(
            "{domain} does not resolve",
            "Its record belongs into the hosted zone, and the world must ask that zone: `pennyworth doctor` looks.",
            domain=domain,
        )
    except ssl.SSLCertVerificationError as failure:
        return unhealthy(
            "callers refuse it: {reason}",
            "The domain must have a valid certificate for its name: deploy again, or see in ACM's console.",
            reason=failure.verify_message,
        )
    except OSError as failure:
        return unhealthy(
            "no TLS at {domain}: {reason}",
            "See in API Gateway's console whether the custom domain is there, and deploy again if not.",
            domain=domain,
            reason=str(failure) or type(failure).__name__,
        )
    return _judged(
        ends, "the one that callers see", "ACM has another one, or renewed none: deploy again.", limit
    )


def _judged(ends: float, which: str, fix: str, limit: float) -> Finding:
    days = (ends - time.time()) / _DAY_SECONDS
    if days < 0:
        return unhealthy(f"{which} ended {-days:.0f} days ago", fix)
    detail = f"{which} is good for {days:.0f} more days"
    if days < limit:
        return unhealthy(detail, fix)
    return warning(detail, fix) if days < _WARNING_DAYS else ok(detail)
