"""client.threads"""

from check import having, must, record, refused, text, time
from support import case, id_of, new_id, new_thread, ran_on, run, state, task, thread

SLOW = {"count": 1, "pace_ms": 20_000}


def told_ttl(strategy, minutes):
    return {"strategy": strategy, "ttl_minutes": minutes, "expires_at": time}


@case("threads.create, get, delete: every field given comes back; an id that is taken is refused or taken over")
async def _(client, _make):
    threads, thread_id = client.threads, new_id()
    wanted = thread(thread_id=thread_id, metadata={"team": "a", "graph_id": "steps"})
    must(await threads.create(thread_id=thread_id, metadata={"team": "a"}, graph_id="steps"), wanted)
    must(await threads.get(thread_id), wanted)
    await refused(threads.create(thread_id=thread_id), 409, "exists")
    must(await threads.create(thread_id=thread_id, if_exists="do_nothing", metadata={"team": "b"}), wanted)
    must(await threads.delete(thread_id), None)
    await refused(threads.get(thread_id), 404, "does not exist")
    await refused(threads.delete(thread_id), 404, "does not exist")


@case("threads.create with ttl, get with include=ttl")
async def _(client, _make):
    threads = client.threads
    minutes = (await threads.create(ttl=30))["thread_id"]
    must(await threads.get(minutes, include=["ttl"]), thread(ttl=told_ttl("delete", 30)))
    kept = (await threads.create(ttl={"ttl": 5, "strategy": "keep_latest"}))["thread_id"]
    must(await threads.get(kept, include=["ttl"]), thread(ttl=told_ttl("keep_latest", 5)))


@case("threads.create with supersteps: the state that they lead to, and its history")
async def _(client, _make):
    threads = client.threads
    made = await threads.create(
        graph_id="steps",
        supersteps=[
            {"updates": [{"values": {"topic": "trains"}, "as_node": "__start__"}]},
            {"updates": [{"values": {"items": ["one"]}, "as_node": "first"}]},
        ],
    )
    t_id, values = made["thread_id"], {"topic": "trains", "items": ["one"]}
    must(await threads.get_state(t_id), state(t_id, values=values, next=["second"], tasks=[having(name="second")]))
    must([past["values"].get("items") for past in await threads.get_history(t_id)], [["one"], []])
    must((await threads.get(t_id))["values"], values)


@case("threads.update: metadata is merged, ttl replaced; an answer without a body on demand")
async def _(client, _make):
    threads = client.threads
    t_id = (await threads.create(metadata={"a": 1, "b": {"c": 1}}))["thread_id"]
    must(await threads.update(t_id, metadata={"b": 2, "d": []}), thread(metadata={"a": 1, "b": 2, "d": []}))
    must(await threads.update(t_id, metadata={"e": 5}, ttl=10, return_minimal=True), None)
    must(
        await threads.get(t_id, include=["ttl"]),
        thread(metadata={"a": 1, "b": 2, "d": [], "e": 5}, ttl=told_ttl("delete", 10)),
    )
    await refused(threads.update(new_id(), metadata={}), 404, "does not exist")


@case("threads.search, count: by metadata, values, status and ids; sorted, in pages, with chosen and extracted fields")
async def _(client, _make):
    threads, lot = client.threads, new_id()
    metadata, ids = {"lot": lot}, []
    for graph, topic in (("steps", "elm"), ("steps", "ash"), ("asks", "go")):
        ids.append((await threads.create(metadata=metadata))["thread_id"])
        await client.runs.wait(ids[-1], graph, input={"topic": topic})
    elm, ash, asked = ids

    async def search(**query):
        return [found["thread_id"] for found in await threads.search(metadata=metadata, **query)]

    must(await search(), [asked, ash, elm])
    must(await search(sort_by="created_at", sort_order="asc"), ids)
    must(await search(sort_by="thread_id", sort_order="asc"), sorted(ids))
    must(await search(sort_by="state_updated_at", sort_order="desc", limit=1, offset=1), [ash])
    must(await search(status="interrupted"), [asked])
    must(sorted(await search(status="idle", sort_by="status")), sorted([elm, ash]))
    must(await search(values={"topic": "ash"}), [ash])
    must(await search(ids=[elm, new_id()]), [elm])
    values = {"topic": "elm", "items": ["first", "second"]}
    told = {"lot": lot, "graph_id": "steps", "assistant_id": id_of("steps")}
    must(await threads.search(ids=[elm]), [thread(thread_id=elm, metadata=told, values=values)])
    must(await threads.search(ids=[elm], select=["thread_id", "values"]), [{"thread_id": elm, "values": values}])
    extract = {"last": "values.items[-1]", "topic": "values.topic", "lot": "metadata.lot"}
    must(
        await threads.search(ids=[elm], select=["thread_id"], extract=extract),
        [{"thread_id": elm, "extracted": {"last": "second", "topic": "elm", "lot": lot}}],
    )
    must(await threads.count(metadata=metadata), 3)
    must(await threads.count(metadata=metadata, status="idle"), 2)
    must(await threads.count(metadata=metadata, values={"topic": "go"}), 1)


@case("threads.copy: the copy has the state and the history, and goes its own way")
async def _(client, _make):
    threads = client.threads
    source = await ran_on(client, "steps", topic="trains")
    copied = await threads.copy(source)
    values = {"topic": "trains", "items": ["first", "second"]}
    must(copied, thread(metadata=having(graph_id="steps"), values=values))
    copy = copied["thread_id"]
    must(copy == source, False, "the copy has the source's id")
    must(await threads.get_state(copy), state(copy, values=values))
    must(len(await threads.get_history(copy)), 4, "states of the copy")
    await client.runs.wait(copy, "steps", input={"topic": "ships"})
    must((await threads.get_state(source))["values"], values)
    must(await client.runs.list(copy), [run("steps", status="success", thread_id=copy)])
    await refused(threads.copy(new_id()), 409, "does not exist")


@case("threads.prune: deletes, or keeps the latest state alone")
async def _(client, _make):
    threads = client.threads
    kept = await ran_on(client, "steps", topic="a")
    must(len(await threads.get_history(kept)), 4, "states before")
    must(await threads.prune([kept], strategy="keep_latest"), {"pruned_count": 1})
    values = {"topic": "a", "items": ["first", "second"]}
    must([past["values"] for past in await threads.get_history(kept)], [values])
    gone = await new_thread(client)
    must(await threads.prune([gone, new_id()]), {"pruned_count": 1})
    await refused(threads.get(gone), 404, "does not exist")


@case("threads.get_state: the newest, one by its id, one by its checkpoint, with subgraphs; 404 for none")
async def _(client, _make):
    threads = client.threads
    t_id = await ran_on(client, "steps", topic="trains")
    newest = await threads.get_state(t_id)
    must(newest, state(t_id, values={"topic": "trains", "items": ["first", "second"]}))
    parent = newest["parent_checkpoint"]
    before = state(
        t_id,
        values={"topic": "trains", "items": ["first"]},
        next=["second"],
        tasks=[task("second", result=having(items=["second"]))],
    )
    must(await threads.get_state(t_id, checkpoint_id=parent["checkpoint_id"]), before)
    must(await threads.get_state(t_id, parent), before)
    must(await threads.get_state(t_id, subgraphs=True), newest)
    await refused(threads.get_state(t_id, checkpoint_id=new_id()), 404, "checkpoint")
    await refused(threads.get_state(new_id()), 404, "does not exist")
    asked = await ran_on(client, "family", topic="ask")
    inner = (await threads.get_state(asked, subgraphs=True))["tasks"][0]["state"]
    must(inner, having(values={"topic": "ask", "items": []}, next=["inner"], tasks=[having(name="inner")]))
    must((await threads.get_state(asked, inner["checkpoint"]))["next"], ["inner"])


@case("threads.get_state, get_history with select: these fields alone, and single keys of the values")
async def _(client, _make):
    threads = client.threads
    t_id = await ran_on(client, "steps", topic="trains")
    select, parts = ["values.topic", "next"], {"values": {"topic": "trains"}, "next": []}
    must(await threads.get_state(t_id, select=select), parts)
    point = (await threads.get_state(t_id, select=["checkpoint"]))["checkpoint"]
    must(await threads.get_state(t_id, point, select=select), parts)
    must(await threads.get_state(t_id, checkpoint_id=point["checkpoint_id"], select=select), parts)
    must(await threads.get_history(t_id, limit=1, select=select), [parts])


@case("threads.get_history: newest first, in pages, by metadata, before a checkpoint")
async def _(client, _make):
    threads = client.threads
    t_id = await ran_on(client, "steps", topic="a")
    everything = await threads.get_history(t_id)
    must([past["next"] for past in everything], [[], ["second"], ["first"], ["__start__"]])
    must(everything[0], state(t_id, values={"topic": "a", "items": ["first", "second"]}))
    must(everything[3], having(parent_checkpoint=None, metadata=having(source="input", step=-1)))
    must(await threads.get_history(t_id, limit=2), everything[:2])
    must(await threads.get_history(t_id, limit=1, before=everything[1]["checkpoint"]), everything[2:3])
    must(await threads.get_history(t_id, before=everything[2]["checkpoint"]["checkpoint_id"]), everything[3:])
    must(await threads.get_history(t_id, metadata={"source": "input"}), everything[3:])
    must(await threads.get_history(t_id, checkpoint=everything[0]["checkpoint"], limit=1), everything[:1])


@case("threads.update_state: as a node, on an old checkpoint, and the thread shows it; refused where it must be")
async def _(client, _make):
    threads = client.threads
    t_id = await ran_on(client, "steps", topic="a")
    written = await threads.update_state(t_id, {"items": ["by hand"]}, as_node="first")
    point = having(thread_id=t_id, checkpoint_ns="", checkpoint_id=text)
    must(written, having(checkpoint=point))
    values = {"topic": "a", "items": ["first", "second", "by hand"]}
    must(
        await threads.get_state(t_id),
        state(t_id, values=values, next=["second"], tasks=[task("second")], metadata=having(source="update", step=3)),
    )
    shown = await threads.get(t_id)
    must([shown["status"], shown["values"]], ["interrupted", values])
    old = (await threads.get_history(t_id))[3]["checkpoint"]
    await threads.update_state(t_id, {"topic": "fork"}, checkpoint=old, as_node="__start__")
    must(await client.runs.wait(t_id, "steps", input=None), {"topic": "fork", "items": ["first", "second"]})

    busy = await new_thread(client)
    await refused(threads.update_state(busy, {}), 400, "graph")
    started = await client.runs.create(busy, "ticks", input=SLOW)
    await refused(threads.update_state(busy, {}, as_node="tick"), 409, "busy")
    await client.runs.cancel(busy, started["run_id"], wait=True)
    await refused(threads.update_state(busy, {}, as_node="nowhere"), 422, "nowhere")


@case("threads.get after a run: values, status and open interrupts")
async def _(client, _make):
    t_id = await ran_on(client, "asks", topic="go")
    told = await client.threads.get(t_id)
    must(told["status"], "interrupted")
    must(list(told["interrupts"].values()), [[{"id": text, "value": {"question": "May I go?"}}]])
    must(told["metadata"], {"graph_id": "asks", "assistant_id": id_of("asks")})
    must(told["values"], record)
