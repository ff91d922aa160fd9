"""Checks the custom domain's certificate, in ACM and as callers see it."""

import socket
import ssl
import time

from pennyworth.aws.certificates import read_expiry
from pennyworth.checks.finding import Finding, Findings, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject

_WARNING_DAYS = 30
"""ACM renews 60 days before expiry: https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html"""
_DAY_SECONDS = 86400
_TIMEOUT_SECONDS = 10.0

_RENEWAL = {
    # https://docs.aws.amazon.com/acm/latest/APIReference/API_RenewalSummary.html
    "PENDING_VALIDATION": warning(
        "ACM can't renew the certificate: its validation record is missing",
        "Run `pennyworth bootstrap`, which writes the record into the hosted zone.",
    ),
    "FAILED": unhealthy(
        "ACM could not renew the certificate",
        "Run `pennyworth bootstrap`, which writes the validation record, or request another certificate.",
    ),
}


def check_certificate(subject: Subject) -> Findings:
    """Check the certificate in ACM."""
    if not subject.domain:
        yield ok("not needed without a custom domain")
        return
    given = subject.parameters.get("AcmCertificateArn", "")
    arn = given or next(iter(subject.list_resources("AWS::CertificateManager::Certificate")), "")
    if not arn:
        yield unknown("the stack names no certificate")
        return
    found = subject.account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    if found["Status"] != "ISSUED":
        yield unhealthy(
            f"the certificate is {found['Status']}",
            "Request or import another one, and deploy with its ARN in the secret ACM_CERTIFICATE_ARN.",
        )
        return
    renewal = _RENEWAL.get(found.get("RenewalSummary", {}).get("RenewalStatus", ""))
    if renewal:
        yield renewal
    if not found.get("InUseBy") and not subject.emulator:  # the emulator does not set InUseBy
        yield warning("the certificate is not in use", "Deploy again, so that the domain uses it.")
    renewed = found.get("Type") != "IMPORTED"
    yield _judged(
        read_expiry(found),
        "the certificate in ACM",
        "Check in the ACM console why it is not renewed."
        if renewed
        else "ACM does not renew imported certificates: import a new one.",
        subject.limits.certificate_days,
    )


def check_served_certificate(subject: Subject) -> Findings:
    """Check the certificate that callers see."""
    if not subject.domain:
        yield ok("not needed without a custom domain")
        return
    if subject.tls is None:
        yield unknown("the local AWS has no TLS")
        return
    yield check_shown_certificate(subject.domain, subject.tls, subject.limits.certificate_days)


def check_shown_certificate(domain: str, address: tuple[str, int], limit: float) -> Finding:
    """Connect with TLS and check the server's certificate.

    Args:
        domain: the name that the certificate must be valid for.
        address: the host and port to connect to.
        limit: the number of days below which the certificate counts as unhealthy.
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
            "Check its record in the hosted zone and your registrar's name servers. `pennyworth doctor` checks them.",
            domain=domain,
        )
    except ssl.SSLCertVerificationError as failure:
        return unhealthy(
            "callers can't verify the certificate: {reason}",
            "Deploy again. If that does not help, check the certificate in the ACM console.",
            reason=failure.verify_message,
        )
    except OSError as failure:
        return unhealthy(
            "no TLS connection to {domain}: {reason}",
            "Check in the API Gateway console whether the custom domain exists. If not, deploy again.",
            domain=domain,
            reason=str(failure) or type(failure).__name__,
        )
    return _judged(
        ends,
        "the certificate that callers see",
        "Deploy again, so that the domain uses the one in ACM.",
        limit,
    )


def _judged(ends: float, which: str, fix: str, limit: float) -> Finding:
    days = (ends - time.time()) / _DAY_SECONDS
    if days < 0:
        return unhealthy(f"{which} expired {-days:.0f} days ago", fix)
    detail = f"{which} is valid for {days:.0f} more days"
    if days < limit:
        return unhealthy(detail, fix)
    return warning(detail, fix) if days < _WARNING_DAYS else ok(detail)
