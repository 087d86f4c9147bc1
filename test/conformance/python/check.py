"""What an answer must look like, field by field: a dict must have these keys and no others, a list these elements. A
function says what it wants of a value (it returns what is wrong, or None); everything else must be equal."""

import json
import re


class Mismatch(Exception):
    pass


def must(value, wanted, what="answer"):
    wrong = _differences(value, wanted, what)
    if wrong:
        raise Mismatch("; ".join(wrong[:8]))


def is_(what, test):
    return lambda value: None if test(value) else f" must be {what}, not {_show(value)}"


def _matches(what, pattern):
    return is_(what, lambda value: isinstance(value, str) and re.search(pattern, value))


uuid = _matches("a uuid", r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
time = _matches("a time", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
text = is_("a text", lambda value: isinstance(value, str) and value != "")
number = is_("a number", lambda value: isinstance(value, (int, float)))
record = is_("an object", lambda value: isinstance(value, dict))


def anything(_value):
    return None


def each(wanted):
    """Each element is like this one."""

    def check(value):
        if not isinstance(value, list):
            return f" must be a list, not {_show(value)}"
        wrong = [w for at, element in enumerate(value) for w in _differences(element, wanted, f"[{at}]")]
        return wrong[0] if wrong else None

    return check


def having(**wanted):
    """These keys, whatever others there are."""

    def check(value):
        if not isinstance(value, dict):
            return f" must be an object, not {_show(value)}"
        wrong = [w for key, inner in wanted.items() for w in _differences(value.get(key), inner, f".{key}")]
        return wrong[0] if wrong else None

    return check


async def refused(asked, status, detail):
    """The answer is an HTTP error whose body is {"detail": "…"}."""
    try:
        value = await asked
    except Exception as error:  # the SDK's own classes, which all carry the response
        response = getattr(error, "response", None)
        if response is None:
            raise
        must(response.status_code, status, f"status ({error})")
        body = getattr(error, "body", None) or json.loads("\n".join(getattr(error, "__notes__", [])) or "null")
        must(body, {"detail": _matches(f"a sentence with {detail}", detail)}, "body of the refusal")
        return
    raise Mismatch(f"it was not refused: {_show(value)}")


def _differences(value, wanted, path):
    if callable(wanted):
        wrong = wanted(value)
        return [] if wrong is None else [f"{path}{wrong}"]
    if isinstance(wanted, (list, tuple)):
        if not isinstance(value, list):
            return [f"{path} must be a list, not {_show(value)}"]
        wrong = [] if len(value) == len(wanted) else [f"{path} must have {len(wanted)} elements: {_show(value)}"]
        for at, inner in enumerate(wanted):
            wrong += _differences(value[at] if at < len(value) else None, inner, f"{path}[{at}]")
        return wrong
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return [f"{path} must be an object, not {_show(value)}"]
        wrong = [f"{path}.{key} is not wanted: {_show(value[key])}" for key in value if key not in wanted]
        for key, inner in wanted.items():
            wrong += _differences(value.get(key), inner, f"{path}.{key}")
        return wrong
    same = value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
    return [] if same else [f"{path} must be {_show(wanted)}, not {_show(value)}"]


def _show(value):
    shown = json.dumps(value, default=str)
    return f"{shown[:160]}…" if len(shown) > 160 else shown
