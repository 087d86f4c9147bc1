"""Streams: what each mode sends, joining them, and going on after a cut"""

import asyncio

from check import anything, each, having, is_, must, number, record, refused, text, uuid
from support import case, collect, control, events_of, eventually, new_id, new_thread, parts_of

COUNT = 40


def datas(parts, event):
    return [part.data for part in parts if part.event == event]


@case("runs.stream: metadata first, then values and updates in order, end last")
async def _(client, _make):
    t_id, told = await new_thread(client), []
    options = {"input": {"topic": "a"}, "stream_mode": ["values", "updates"], "on_run_created": told.append}
    parts = await collect(client.runs.stream(t_id, "steps", **options))
    must(dict(told[0]), {"run_id": uuid, "thread_id": t_id}, "on_run_created")
    must(
        [[part.event, part.data] for part in parts[:-1]],
        [
            ["metadata", having(run_id=told[0]["run_id"], attempt=1)],
            ["values", {"topic": "a", "items": []}],
            ["updates", {"first": {"items": ["first"]}}],
            ["values", {"topic": "a", "items": ["first"]}],
            ["updates", {"second": {"items": ["second"]}}],
            ["values", {"topic": "a", "items": ["first", "second"]}],
        ],
    )
    must(parts[-1].event, "end")
    must([part.id for part in parts], each(text))


@case("runs.stream, version v2: typed parts with their namespace")
async def _(client, _make):
    t_id = await new_thread(client)
    parts = await collect(client.runs.stream(t_id, "steps", input={"topic": "a"}, version="v2"))
    values = [part for part in parts if part["type"] == "values"]
    must(values[-1], having(type="values", ns=[], data={"topic": "a", "items": ["first", "second"]}))


@case("runs.stream: messages-tuple and messages")
async def _(client, _make):
    given = {"input": {"messages": [{"role": "user", "content": "Hi"}]}}
    tuples = datas(await collect(client.runs.stream(None, "speaks", stream_mode="messages-tuple", **given)), "messages")
    must("".join(message["content"] for message, _ in tuples), "Hello")
    must(tuples, each([having(id=text, type=text), having(langgraph_node="speak", langgraph_step=1)]))
    whole = await collect(client.runs.stream(None, "speaks", stream_mode="messages", **given))
    told = datas(whole, "messages/metadata")[0]
    must(list(told.values()), [having(metadata=having(langgraph_node="speak"))])
    must(datas(whole, "messages/partial")[-1], [having(content="Hello")])


@case("runs.stream: custom, debug, tasks, checkpoints, events")
async def _(client, _make):
    async def sent(mode, graph="steps", **given):
        parts = await collect(client.runs.stream(await new_thread(client), graph, input=given, stream_mode=mode))
        must([parts[0].event, parts[-1].event], ["metadata", "end"])
        must(events_of(parts[1:-1]), each(mode))
        return [part.data for part in parts[1:-1]]

    must(await sent("custom", "ticks", count=2), [{"tick": 1}, {"tick": 2}])
    must(await sent("debug"), each({"step": number, "timestamp": text, "type": text, "payload": record}))
    must(
        await sent("tasks"),
        [
            having(id=text, name="first", input=record, triggers=each(text)),
            having(id=text, name="first", result=anything, interrupts=[]),
            having(name="second"),
            having(name="second", result=anything),
        ],
    )
    points = await sent("checkpoints", topic="a")
    must(points, each(having(values=record, next=each(text), config=record, metadata=record)))
    must(points[-1], having(values={"topic": "a", "items": ["first", "second"]}, next=[]))
    must(await sent("events"), each(having(event=text, name=text, run_id=text, data=record)))


@case("runs.stream: subgraphs, interrupts and errors")
async def _(client, _make):
    options = {"input": {"topic": "x"}, "stream_mode": "updates", "stream_subgraphs": True}
    parts = await collect(client.runs.stream(None, "family", **options))
    inner = is_("updates of the child", lambda event: event.startswith("updates|child:"))
    must(events_of(parts), ["metadata", inner, inner, "updates", "updates", "end"])
    asked = await collect(client.runs.stream(await new_thread(client), "asks", input={"topic": "go"}))
    question = [having(id=text, value={"question": "May I go?"})]
    must(datas(asked, "values")[-1], having(__interrupt__=question))
    failed = await collect(client.runs.stream(await new_thread(client), "fails", input={}))
    must(events_of(failed)[-2:], ["error", "end"])
    must(failed[-2].data, {"error": "RangeError", "message": "planned"})


@case("runs.join_stream: from the start, after an id, and with modes left out")
async def _(client, _make):
    runs, t_id = client.runs, await new_thread(client)
    modes = ["values", "updates", "custom"]
    given = {"input": {"count": 3, "pace_ms": 20}, "stream_mode": modes, "stream_resumable": True}
    r_id = (await runs.create(t_id, "ticks", **given))["run_id"]
    everything = await collect(runs.join_stream(t_id, r_id))
    must(
        events_of(everything), ["metadata", "values", "custom", "custom", "custom", "updates", "values", "end"]
    )
    must(await collect(runs.join_stream(t_id, r_id, last_event_id="-1")) == everything, True, "the same again")
    rest = await collect(runs.join_stream(t_id, r_id, last_event_id=everything[3].id))
    must(rest == everything[4:], True, "the rest")
    custom = await collect(runs.join_stream(t_id, r_id, last_event_id="-1", stream_mode=["custom"]))
    must(events_of(custom), ["metadata", "custom", "custom", "custom", "end"])
    await refused(collect(runs.join_stream(t_id, new_id())), 404, "does not exist")


@case("threads.join_stream: the events of every run of the thread")
async def _(client, _make):
    t_id, seen = await new_thread(client), []

    async def follow():
        parts = parts_of(client.threads.join_stream(t_id, last_event_id="-"))
        async for part in parts:
            seen.append(part)
            if sum(data.get("status") == "run_done" for data in datas(seen, "metadata")) == 2:
                break
        await parts.aclose()

    async def act():
        await client.runs.wait(t_id, "steps", input={"topic": "a"})
        await client.runs.wait(t_id, "told", input={"topic": "b"})

    await asyncio.gather(follow(), act())
    second, first = [one["run_id"] for one in await client.runs.list(t_id)]
    must(
        [[part.event, part.data] for part in seen],
        [
            ["metadata", {"run_id": first, "attempt": 1}],
            ["values", {"topic": "a", "items": []}],
            ["values", {"topic": "a", "items": ["first"]}],
            ["values", {"topic": "a", "items": ["first", "second"]}],
            ["metadata", {"status": "run_done", "run_id": first}],
            ["metadata", {"run_id": second, "attempt": 1}],
            ["values", having(topic="b")],
            ["values", having(topic="b", told=record)],
            ["metadata", {"status": "run_done", "run_id": second}],
        ],
    )
    must([part.id for part in seen], each(text))


async def follow_hurt(stream, hurt):
    """Every event once, though the stream is hurt in the middle."""
    seen = []
    async for part in parts_of(stream):
        seen.append(part)
        if len(seen) == 10:
            await hurt()
    must(datas(seen, "custom"), [{"tick": tick} for tick in range(1, COUNT + 1)], "events")
    must([seen[0].event, seen[-1].event], ["metadata", "end"])


TICKS = {"input": {"count": COUNT, "pace_ms": 50}, "stream_mode": "custom"}


@case("runs.stream, connection cut: complete, and nothing twice")
async def _(client, make):
    way = await control("shaky")
    stream = make(way["url"]).runs.stream(await new_thread(client), "ticks", **TICKS)
    await follow_hurt(stream, lambda: control("cut", way=way["way"]))


async def created(told):
    must(told, [having(run_id=uuid)], "runs created")


@case("runs.wait, connection cut: answers all the same")
async def _(client, make):
    way = await control("shaky")
    t_id, told = await new_thread(client), []
    given = {"input": {"count": 30, "pace_ms": 50}, "on_run_created": told.append}
    waiting = asyncio.ensure_future(make(way["url"]).runs.wait(t_id, "ticks", **given))
    await eventually(lambda: created(told))
    await control("cut", way=way["way"])
    must(await waiting, having(items=["30 ticks"]))


@case("runs.stream, its server killed: complete, and nothing twice", alone=True, many=True)
async def _(client, _make):
    told = []
    stream = client.runs.stream(await new_thread(client), "ticks", **TICKS, on_run_created=told.append)
    await follow_hurt(stream, lambda: control("kill", run=told[0]["run_id"]))
