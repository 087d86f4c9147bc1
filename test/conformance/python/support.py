"""What the cases share: how they are registered, the shapes of what comes back, and both clients behind one face."""

import asyncio
import inspect
import os
import time as clock
import uuid as uuids

import httpx
from check import anything, each, having, must, record, text, time, uuid

CASES = []
NAMESPACE = uuids.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


def case(name, alone=False, many=False):
    """`alone`: nothing else runs meanwhile. `many`: only where there is more than one server."""

    def register(function):
        CASES.append((name, function, alone, many))
        return function

    return register


GROUPS = ("assistants", "threads", "runs", "store")
CALLED = set()


class Client:
    """A client of the SDK that notes which of its methods are called. Of a blocking one each call is in a thread."""

    def __init__(self, client, blocking=False):
        for name in GROUPS:
            setattr(self, name, _Group(name, getattr(client, name), blocking))


class _Group:
    def __init__(self, name, group, blocking):
        self._name, self._group, self._blocking = name, group, blocking

    def __getattr__(self, name):
        CALLED.add(f"{self._name}.{name}")
        method = getattr(self._group, name)
        if not self._blocking:
            return method
        if name in ("stream", "join_stream"):
            return lambda *args, **named: _iterate(method, args, named)
        return lambda *args, **named: asyncio.to_thread(method, *args, **named)


def uncalled(client):
    """What a new version brings is not overlooked. threads.stream is event streaming, which is not there yet."""
    methods = [f"{name}.{method}" for name in GROUPS for method in dir(getattr(client, name)) if method[0] != "_"]
    return [method for method in methods if method not in CALLED | {f"{name}.http" for name in GROUPS} | {"threads.stream"}]


async def _iterate(method, args, named):
    parts = await asyncio.to_thread(lambda: iter(method(*args, **named)))
    try:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part
    finally:
        await asyncio.to_thread(parts.close)


async def parts_of(stream):
    """Of every way in which the SDK gives a stream."""
    parts = await stream if inspect.isawaitable(stream) else stream
    try:
        async for part in parts:
            yield part
    finally:
        await parts.aclose()


async def collect(stream):
    return [part async for part in parts_of(stream)]


def events_of(parts):
    return [part.event for part in parts]


def id_of(graph):
    return str(uuids.uuid5(NAMESPACE, graph))


def new_id():
    return str(uuids.uuid4())


def assistant(**more):
    return {
        "assistant_id": uuid,
        "graph_id": "steps",
        "name": "Untitled",
        "description": None,
        "config": {},
        "context": {},
        "metadata": {},
        "version": 1,
        "created_at": time,
        "updated_at": time,
        **more,
    }


def thread(**more):
    return {
        "thread_id": uuid,
        "created_at": time,
        "updated_at": time,
        "state_updated_at": time,
        "metadata": {},
        "config": record,
        "status": "idle",
        "values": None,
        "interrupts": {},
        **more,
    }


def run(graph, **more):
    return {
        "run_id": uuid,
        "thread_id": uuid,
        "assistant_id": id_of(graph),
        "created_at": time,
        "updated_at": time,
        "status": "pending",
        "metadata": having(graph_id=graph, assistant_id=id_of(graph)),
        "kwargs": record,
        "multitask_strategy": "enqueue",
        **more,
    }


def state(thread_id, **more):
    point = having(thread_id=thread_id, checkpoint_ns="", checkpoint_id=uuid)
    return {
        "values": {},
        "next": [],
        "tasks": [],
        "checkpoint": point,
        "metadata": having(source=text),
        "created_at": time,
        "parent_checkpoint": point,
        "interrupts": [],
        **more,
    }


def task(name, **more):
    empty = {"error": None, "interrupts": [], "checkpoint": None, "state": None}
    return {"id": text, "name": name, "path": each(anything), "result": anything, **empty, **more}


async def new_thread(client):
    return (await client.threads.create())["thread_id"]


async def ran_on(client, graph, **given):
    """A thread on which the graph has run."""
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, graph, input=given)
    return thread_id


async def eventually(check):
    """Asks until it is so."""
    deadline = clock.monotonic() + 20
    while True:
        try:
            return await check()
        except Exception:
            if clock.monotonic() > deadline:
                raise
        await asyncio.sleep(0.03)


async def has_status(client, thread_id, run_id, status):
    async def check():
        must((await client.runs.get(thread_id, run_id))["status"], status, "status")

    await eventually(check)


async def control(action, **arguments):
    """Asks the suite's own process: for a way in that can be cut, to cut it, to kill a server."""
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.post(f"{os.environ['CONTROL_URL']}/{action}", json=arguments)
        response.raise_for_status()
        return response.json()
