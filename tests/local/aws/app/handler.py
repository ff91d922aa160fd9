"""A plain handler, without the Web Adapter."""

import os
import platform


def handle(event, context):
    print("handled", event)
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {
        "pid": os.getpid(),
        "python": platform.python_version(),
        "arn": context.invoked_function_arn,
        "left_ms": context.get_remaining_time_in_millis(),
    }
