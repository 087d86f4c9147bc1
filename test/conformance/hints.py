"""What schemathesis can't know of the API: what would never end, and so tell it nothing."""

import schemathesis

LONGEST_SECONDS = 315_360_000
LONGEST_ADDRESS = 65_536
NOBODY = "ffffffff-ffff-4fff-bfff-ffffffffffff"


@schemathesis.hook
def map_body(context, body):
    """
    No run begins in ten years, nobody is told of one, and half of them are of an assistant that there is. What the schema
    refuses stays as it is.
    """
    for run in body if isinstance(body, list) else [body]:
        if isinstance(run, dict):
            delay = run.get("after_seconds")
            if isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay <= LONGEST_SECONDS:
                run["after_seconds"] = 0
            webhook = run.get("webhook")
            if isinstance(webhook, str) and 0 < len(webhook) <= LONGEST_ADDRESS:
                run["webhook"] = None
            assistant = run.get("assistant_id")
            if isinstance(assistant, str) and len(assistant) % 2 == 1:
                run["assistant_id"] = "echo"
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    """The stream of a thread stays open until its client leaves."""
    if case.operation.path == "/threads/{thread_id}/stream" and len(case.path_parameters["thread_id"]) == 36:
        case.path_parameters["thread_id"] = NOBODY
