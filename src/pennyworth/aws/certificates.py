"""Find the endpoint's certificate, or request it and validate it by DNS.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pennyworth.aws.account import Account, Unprepared

_POLL_SECONDS = 5.0
_RECORD_SECONDS = 60.0
_TTL_SECONDS = 300
_TAG = {"Key": "pennyworth", "Value": "bootstrap"}

# all key types; by default, ACM lists only some of them
_KEY_TYPES = [
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
]

Certificate = Mapping[str, Any]


def find_certificate(account: Account, domain: str) -> Certificate | None:
    """Find the certificate for a domain in the account's region, preferably an issued one.

    Args:
        account: the account.
        domain: the endpoint's domain, such as api.example.com.
    Returns:
        the certificate (https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html), issued or
        waiting for validation; None if there is none.
    """
    acm = account.client("acm")
    pages = acm.get_paginator("list_certificates").paginate(
        CertificateStatuses=["ISSUED", "PENDING_VALIDATION"], Includes={"keyTypes": _KEY_TYPES}
    )
    arns = [summary["CertificateArn"] for page in pages for summary in page["CertificateSummaryList"]]
    described = [acm.describe_certificate(CertificateArn=arn)["Certificate"] for arn in arns]
    fitting = [certificate for certificate in described if covers(certificate, domain)]
    fitting.sort(key=lambda found: (found["Status"] != "ISSUED", -read_expiry(found)))
    return fitting[0] if fitting else None


def covers(certificate: Certificate, domain: str) -> bool:
    """Check whether a certificate covers a domain, by name or by wildcard."""
    return not {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}.isdisjoint(
        _list_names(domain)
    )


def read_expiry(certificate: Certificate) -> float:
    """Read when a certificate expires, in seconds since 1970; 0 if it is not issued."""
    ends = certificate.get("NotAfter")
    return float(ends.timestamp()) if ends else 0.0


def request_certificate(account: Account, domain: str) -> str:
    """Request a certificate with DNS validation, and return its ARN."""
    answer = account.client("acm").request_certificate(
        DomainName=domain,
        ValidationMethod="DNS",
        IdempotencyToken="pennyworth",  # a second request within an hour returns the same certificate
        Tags=[_TAG],
    )
    return str(answer["CertificateArn"])


def is_ours(account: Account, arn: str) -> bool:
    """Check whether `request_certificate` requested a certificate."""
    return _TAG in account.client("acm").list_tags_for_certificate(CertificateArn=arn)["Tags"]


def find_missing_records(account: Account, domain: str, zone: str, arn: str) -> list[dict[str, Any]]:
    """Find the validation records that are missing in a domain's hosted zone. ACM needs them for renewals, too.

    Args:
        account: the certificate's account.
        domain: the endpoint's domain. Records of the certificate's other domains are ignored.
        zone: the ID of the domain's hosted zone.
        arn: the certificate's ARN.
    Returns:
        the missing records.
    """
    return [
        record for record in _fetch_records(account, domain, arn) if not _find_record(account, zone, record)
    ]


def write_validation_records(account: Account, domain: str, zone: str, arn: str) -> None:
    """Write a domain's validation records to its hosted zone.

    Args:
        account: the certificate's account.
        domain: the endpoint's domain.
        zone: the ID of the domain's hosted zone.
        arn: the certificate's ARN.
    Raises:
        Unprepared: ACM provides no records.
    """
    deadline = time.monotonic() + _RECORD_SECONDS
    while not _fetch_records(account, domain, arn):
        if time.monotonic() > deadline:
            raise Unprepared(f"ACM provides no validation record for {arn}. Check it in the ACM console.")
        time.sleep(_POLL_SECONDS)
    _change_records(
        account,
        zone,
        "UPSERT",
        [
            {
                "Name": record["Name"],
                "Type": record["Type"],
                "TTL": _TTL_SECONDS,
                "ResourceRecords": [{"Value": record["Value"]}],
            }
            for record in find_missing_records(account, domain, zone, arn)
        ],
    )


def wait_until_issued(account: Account, arn: str, seconds: float, *, report: Callable[[str], None]) -> None:
    """Wait until a certificate is issued.

    Args:
        account: the certificate's account.
        arn: the certificate's ARN.
        seconds: how long to wait at most.
        report: is called with the certificate's status whenever it changes.
    Raises:
        Unprepared: validation failed or did not finish in time.
    """
    deadline = time.monotonic() + seconds
    reported = ""
    while True:
        found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        status = found["Status"]
        if status != reported:
            report(status)
            reported = status
        if status == "ISSUED":
            return
        if status != "PENDING_VALIDATION":
            raise Unprepared(
                f"The certificate is {status} ({found.get('FailureReason', 'no reason given')}): {arn}"
            )
        if time.monotonic() > deadline:
            raise Unprepared(
                f"The certificate is not issued yet: {arn}. ACM must be able to look up its validation record. Check"
                " that your registrar uses the hosted zone's name servers (pennyworth doctor), then run this again."
            )
        time.sleep(_POLL_SECONDS)


def delete_certificate(account: Account, domain: str, zone: str, arn: str) -> bool:
    """Delete a certificate and its validation records, unless it is in use.

    Args:
        account: the certificate's account.
        domain: the endpoint's domain.
        zone: the ID of the domain's hosted zone.
        arn: the certificate's ARN.
    Returns:
        whether it was deleted.
    """
    found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    if found.get("InUseBy"):
        return False
    held = [_find_record(account, zone, record) for record in _fetch_records(account, domain, arn)]
    account.client("acm").delete_certificate(CertificateArn=arn)
    _change_records(account, zone, "DELETE", [found for found in held if found])
    return True


def _list_names(domain: str) -> tuple[str, str]:
    """List the names that cover a domain: its own and the wildcard."""
    return domain, f"*.{domain.partition('.')[2]}"


def _fetch_records(account: Account, domain: str, arn: str) -> list[dict[str, Any]]:
    found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    return [
        option["ResourceRecord"]
        for option in found.get("DomainValidationOptions", [])
        if option["DomainName"] in _list_names(domain) and "ResourceRecord" in option
    ]


def _find_record(account: Account, zone: str, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find a record with the same name, type and value in its hosted zone."""
    answer = account.client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=record["Name"], StartRecordType=record["Type"], MaxItems="1"
    )
    for found in answer["ResourceRecordSets"]:
        values = [value["Value"].rstrip(".") for value in found.get("ResourceRecords", [])]
        same_name = found["Name"].rstrip(".") == record["Name"].rstrip(".")
        if same_name and found["Type"] == record["Type"] and record["Value"].rstrip(".") in values:
            return dict(found)
    return None


def _change_records(account: Account, zone: str, action: str, records: list[dict[str, Any]]) -> None:
    if records:
        changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
        account.client("route53").change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": changes}
        )
