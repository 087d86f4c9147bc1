"""client.runs: starting, waiting, listing, cancelling, removing"""

from check import having, must, record, refused, text, uuid
from support import case, eventually, has_status, new_id, new_thread, run

SLOW = {"count": 1, "pace_ms": 60_000}
DONE = {"topic": "a", "items": ["first", "second"]}


@case("runs.create, get, join: every field given comes back, then the end")
async def _(client, _make):
    runs, t_id, told = client.runs, await new_thread(client), []
    made = await runs.create(
        t_id,
        "steps",
        input={"topic": "a"},
        metadata={"team": "a"},
        stream_mode=["values", "updates"],
        config={"tags": ["t"], "recursion_limit": 7, "configurable": {"flavor": "red"}},
        context={"user": "ada"},
        stream_subgraphs=True,
        stream_resumable=True,
        multitask_strategy="reject",
        durability="sync",
        interrupt_after=["second"],
        if_not_exists="create",
        langsmith_tracing={"project_name": "p", "example_id": new_id()},
        checkpoint_during=True,
        on_run_created=told.append,
    )
    wanted = {
        "thread_id": t_id,
        "multitask_strategy": "reject",
        "metadata": having(team="a", graph_id="steps"),
        "kwargs": having(
            input={"topic": "a"},
            stream_mode=["values", "updates"],
            context={"user": "ada"},
            subgraphs=True,
            resumable=True,
            durability="sync",
            interrupt_after=["second"],
            config=having(tags=["t"], recursion_limit=7, configurable=having(flavor="red")),
        ),
    }
    must(made, run("steps", **wanted))
    must([dict(told[0])], [{"run_id": made["run_id"], "thread_id": t_id}], "on_run_created")
    must(await runs.join(t_id, made["run_id"]), {**DONE, "__interrupt__": []})
    must(await runs.get(t_id, made["run_id"]), run("steps", **wanted, status="success"))
    await refused(runs.get(t_id, new_id()), 404, "does not exist")


@case("runs.wait: the thread's values; what the graph threw; what it asks")
async def _(client, _make):
    runs = client.runs
    must(await runs.wait(await new_thread(client), "steps", input={"topic": "a"}), DONE)
    failed = await runs.wait(await new_thread(client), "fails", input={}, raise_error=False)
    must(failed, {"__error__": {"error": "RangeError", "message": "planned"}})
    asked = await new_thread(client)
    question = [having(id=text, value={"question": "May I go?"})]
    must(
        await runs.wait(asked, "asks", input={"topic": "go"}),
        {"topic": "go", "items": [], "__interrupt__": question},
    )
    answered = await runs.wait(asked, "asks", command={"resume": "yes"})
    must(answered, {"topic": "go", "items": ["answered yes"]})


@case("runs.wait: config and context reach the graph, as do update and goto; interrupts and old checkpoints")
async def _(client, _make):
    runs, threads, t_id = client.runs, client.threads, await new_thread(client)
    told = await runs.wait(
        t_id,
        "told",
        input={"topic": "x"},
        config={"tags": ["t"], "configurable": {"flavor": "red"}},
        context={"user": "ada"},
    )
    must(told, {"topic": "x", "told": {"flavor": "red", "user": "ada", "tags": ["t"]}})
    went = await runs.wait(
        await new_thread(client), "steps", command={"update": {"topic": "b"}, "goto": "second", "resume": None}
    )
    must(went, {"topic": "b", "items": ["second"]})
    stopped = await new_thread(client)
    first = await runs.wait(stopped, "steps", input={"topic": "a"}, interrupt_before=["second"])
    must(first, having(items=["first"]))
    must((await threads.get(stopped))["status"], "interrupted")
    old = (await threads.get_state(stopped))["checkpoint"]
    must(await runs.wait(stopped, "steps", input=None), DONE)
    must(await runs.wait(stopped, "steps", input=None, checkpoint_id=old["checkpoint_id"]), DONE)
    must(await runs.wait(stopped, "steps", input=None, checkpoint=old), DONE)
    must(await runs.wait(new_id(), "steps", input={"topic": "a"}, if_not_exists="create"), DONE)


@case("runs.create, wait: stateless, kept or not; create_batch")
async def _(client, _make):
    runs, threads = client.runs, client.threads
    must(await runs.wait(None, "steps", input={"topic": "a"}), DONE)
    kept = await runs.create(None, "steps", input={}, on_completion="keep", metadata={"k": 1})
    must(kept, run("steps", metadata=having(k=1)))
    await has_status(client, kept["thread_id"], kept["run_id"], "success")
    gone = await runs.create(None, "steps", input={}, on_completion="delete")
    await eventually(lambda: refused(threads.get(gone["thread_id"]), 404, "does not exist"))
    batch = await runs.create_batch(
        [
            {"assistant_id": "steps", "input": {"topic": "1"}, "on_completion": "keep", "metadata": {"n": 1}},
            {"assistant_id": "told", "input": {"topic": "2"}, "on_completion": "keep"},
        ]
    )
    must(batch, [run("steps", metadata=having(n=1)), run("told")])
    for one in batch:
        await has_status(client, one["thread_id"], one["run_id"], "success")
    await refused(runs.create_batch([{"assistant_id": "nowhere"}]), 404, "nowhere")


@case("runs.list: newest first, in pages, by status, with chosen fields")
async def _(client, _make):
    runs, t_id, ids = client.runs, await new_thread(client), []
    for graph in ("steps", "fails", "told"):
        ids.insert(0, (await runs.create(t_id, graph, input={}))["run_id"])
        await runs.join(t_id, ids[0])

    async def listed(**options):
        return [one["run_id"] for one in await runs.list(t_id, **options)]

    must(await listed(), ids)
    must(await listed(limit=1, offset=1), ids[1:2])
    must(await listed(status="error"), ids[1:2])
    must(await listed(limit=5, offset=3), [])
    must(await runs.list(t_id, limit=1, select=["run_id", "status"]), [{"run_id": ids[0], "status": "success"}])
    await refused(runs.list(new_id()), 404, "does not exist")


@case("runs.cancel, cancel_many, delete: interrupts, rolls back, removes, and is refused after the end")
async def _(client, _make):
    runs, t_id = client.runs, await new_thread(client)

    async def started():
        r_id = (await runs.create(t_id, "ticks", input=SLOW))["run_id"]
        await has_status(client, t_id, r_id, "running")
        return r_id

    first = await started()
    must(await runs.cancel(t_id, first, wait=True), None)
    must(await runs.get(t_id, first), run("ticks", status="interrupted"))
    await refused(runs.cancel(t_id, first), 409, "ended")
    second = await started()
    must(await runs.cancel(t_id, second, wait=True, action="rollback"), None)
    await refused(runs.get(t_id, second), 404, "does not exist")
    third = await started()
    must(await runs.cancel(t_id, third), None)
    await has_status(client, t_id, third, "interrupted")
    fourth = await started()
    must(await runs.cancel_many(thread_id=t_id, run_ids=[fourth]), None)
    await has_status(client, t_id, fourth, "interrupted")
    fifth = await started()
    must(await runs.delete(t_id, fifth), None)
    await refused(runs.delete(t_id, fifth), 404, "does not exist")
    must(await runs.delete(t_id, first), None)
    await refused(runs.get(t_id, first), 404, "does not exist")


@case("runs.cancel_many: all of a status, on every thread", alone=True)
async def _(client, _make):
    runs, one = client.runs, await new_thread(client)
    first = (await runs.create(one, "ticks", input=SLOW))["run_id"]
    await has_status(client, one, first, "running")
    waiting = (await runs.create(one, "ticks", input=SLOW))["run_id"]
    must(await runs.cancel_many(status="pending"), None)
    await has_status(client, one, waiting, "interrupted")
    must((await runs.get(one, first))["status"], "running")
    must(await runs.cancel_many(status="all", action="rollback"), None)
    await eventually(lambda: refused(runs.get(one, first), 404, "does not exist"))


@case("multitask_strategy: reject, enqueue, interrupt, rollback")
async def _(client, _make):
    runs, t_id = client.runs, await new_thread(client)
    first = (await runs.create(t_id, "ticks", input=SLOW))["run_id"]
    await has_status(client, t_id, first, "running")
    await refused(runs.create(t_id, "ticks", input=SLOW, multitask_strategy="reject"), 409, "busy")
    second = await runs.create(t_id, "ticks", input=SLOW, multitask_strategy="interrupt")
    must(second, run("ticks", multitask_strategy="interrupt", run_id=uuid, kwargs=record))
    await has_status(client, t_id, first, "interrupted")
    await has_status(client, t_id, second["run_id"], "running")
    third = await runs.create(t_id, "steps", input={}, multitask_strategy="rollback")
    await has_status(client, t_id, third["run_id"], "success")
    await refused(runs.get(t_id, second["run_id"]), 404, "does not exist")
