"""Finds the AWS region that is set on this machine, without any library of AWS."""

import configparser
import os
from collections.abc import Mapping
from pathlib import Path


def find_region(environ: Mapping[str, str] = os.environ) -> str:
    """Return the region in AWS_REGION, AWS_DEFAULT_REGION or the AWS profile; the first that is set.

    The order is that of the AWS CLI. boto3 does not read AWS_REGION:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html

    Returns:
        the region; empty if none is set.
    """
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _find_in_profile(environ)


def _find_in_profile(environ: Mapping[str, str]) -> str:
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    home = Path(environ.get("HOME") or Path.home(), ".aws")
    config = environ.get("AWS_CONFIG_FILE") or home / "config"
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"
    named = "default" if profile == "default" else f"profile {profile}"
    for path, section in ((config, named), (credentials, profile)):
        parser = configparser.RawConfigParser(strict=False, default_section="")
        try:
            parser.read(Path(path).expanduser(), encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if region := parser.get(section, "region", fallback="").strip():
            return region
    return ""
