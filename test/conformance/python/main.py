"""Every method of the Python SDK, by the asynchronous client and by the blocking one. Prints a line of JSON a case."""

import asyncio
import json
import os
import warnings

import cases_assistants  # noqa: F401  (each registers its cases)
import cases_runs  # noqa: F401
import cases_store  # noqa: F401
import cases_streams  # noqa: F401
import cases_threads  # noqa: F401
from langgraph_sdk import get_client, get_sync_client
from support import CALLED, CASES, Client, uncalled

AT_ONCE = 6
LIMIT_SECONDS = 60


async def run_all(kind, make):
    gate = asyncio.Semaphore(AT_ONCE)
    client = make(os.environ["API_URL"])
    many = os.environ["SIZE"] == "many"

    async def run(name, function):
        async with gate:
            try:
                await asyncio.wait_for(function(client, make), LIMIT_SECONDS)
                tell(kind, name)
            except Exception as error:
                tell(kind, name, f"{type(error).__name__}: {error}" + "".join(getattr(error, "__notes__", [])))

    wanted = [given for given in CASES if many or not given[3]]
    await asyncio.gather(*(run(name, function) for name, function, alone, _ in wanted if not alone))
    for name, function, alone, _ in wanted:
        if alone:
            await run(name, function)

def tell(kind, name, error=None):
    print(json.dumps({"case": f"{kind}: {name}", "error": error}), flush=True)


async def main():
    # The SDK warns of what the cases do on purpose.
    warnings.simplefilter("ignore")
    await run_all("async", lambda url: Client(get_client(url=url, api_key=None)))
    left = uncalled(get_client(url=os.environ["API_URL"], api_key=None))
    CALLED.clear()
    await run_all("sync", lambda url: Client(get_sync_client(url=url, api_key=None), blocking=True))
    left += uncalled(get_sync_client(url=os.environ["API_URL"], api_key=None))
    tell("both", "every method was called", f"not called: {', '.join(left)}" if left else None)


asyncio.run(main())
