"""What schemathesis can't know of the API: nobody wants to wait for a run that begins in ten years."""

import schemathesis

LONGEST_SECONDS = 315_360_000


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict):
        delay = body.get("after_seconds")
        # What the schema allows stays allowed, and what it refuses stays refused.
        if isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay <= LONGEST_SECONDS:
            body["after_seconds"] = 0
    return body
