"""What every version of the Python SDK can do, and what this one can. A line of JSON a case."""

import asyncio
import json
import os

from langgraph_sdk import get_client

DONE = {"topic": "a", "items": ["first", "second"]}


def same(value, wanted):
    if value != wanted:
        raise AssertionError(f"must be {wanted}, not {value}")


async def new_thread(client):
    return (await client.threads.create())["thread_id"]


async def assistants_search_get(client):
    found = await client.assistants.search(metadata={"created_by": "system"}, limit=20)
    steps = next(one for one in found if one["graph_id"] == "steps")
    same((await client.assistants.get(steps["assistant_id"]))["metadata"], {"created_by": "system"})


async def threads_create_get_delete(client):
    made = await client.threads.create(metadata={"a": 1})
    same([made["status"], made["metadata"]], ["idle", {"a": 1}])
    same((await client.threads.get(made["thread_id"]))["thread_id"], made["thread_id"])
    await client.threads.delete(made["thread_id"])


async def runs_create_get_list(client):
    t_id = await new_thread(client)
    made = await client.runs.create(t_id, "steps", input={"topic": "a"})
    same(made["status"], "pending")
    while (told := await client.runs.get(t_id, made["run_id"]))["status"] in ("pending", "running"):
        pass
    same(told["status"], "success")
    same([one["run_id"] for one in await client.runs.list(t_id)], [made["run_id"]])


async def runs_stream(client):
    t_id = await new_thread(client)
    stream = client.runs.stream(t_id, "steps", input={"topic": "a"}, stream_mode="values")
    # The decoders of old versions also hand on what is no event: an id alone, or the blank line after a heartbeat.
    parts = [part async for part in stream if part.data is not None]
    same([part.event for part in parts], ["metadata", "values", "values", "values"])
    same(parts[-1].data, DONE)


async def runs_wait(client):
    if hasattr(client.runs, "wait"):
        same(await client.runs.wait(await new_thread(client), "steps", input={"topic": "a"}), DONE)


async def states(client):
    t_id = await new_thread(client)
    async for _ in client.runs.stream(t_id, "steps", input={"topic": "a"}):
        pass
    same((await client.threads.get_state(t_id))["values"], DONE)
    await client.threads.update_state(t_id, {"topic": "b"})
    same((await client.threads.get_state(t_id))["values"], {**DONE, "topic": "b"})
    found = await client.threads.search(limit=50)
    same(t_id in [one["thread_id"] for one in found], True)


async def store(client):
    if hasattr(client, "store"):
        await client.store.put_item(["old", "py"], "k", {"a": []})
        same((await client.store.get_item(["old", "py"], "k"))["value"], {"a": []})
        same((await client.store.search_items(["old", "py"]))["items"][0]["value"], {"a": []})


async def main():
    client = get_client(url=os.environ["API_URL"])
    cases = [assistants_search_get, threads_create_get_delete, runs_create_get_list, runs_stream, runs_wait, states, store]
    for case in cases:
        try:
            await case(client)
            error = None
        except Exception as reason:
            error = f"{type(reason).__name__}: {reason}" + "".join(getattr(reason, "__notes__", []))
        print(json.dumps({"case": case.__name__, "error": error}), flush=True)


asyncio.run(main())
