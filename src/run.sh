#!/bin/sh
# What the Lambda Web Adapter starts: the gateway, from the package that this file lies in.
root="${LAMBDA_TASK_ROOT:-$(dirname "$0")}"
PYTHONPATH="$root" exec python3 -m pennyworth.gateway
