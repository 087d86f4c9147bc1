"""client.assistants"""

from check import anything, each, having, must, record, refused, text
from support import assistant, case, id_of, new_id


@case("assistants.create, get: every field given comes back; a second one of the same id is refused or taken")
async def _(client, _make):
    assistant_id = new_id()
    given = {
        "assistant_id": assistant_id,
        "name": "Yard",
        "description": "Two steps",
        "config": {"tags": ["t"], "recursion_limit": 9, "configurable": {"flavor": "red"}},
        "metadata": {"team": "a"},
        "context": {"user": "ada"},
    }
    wanted = assistant(**given)
    must(await client.assistants.create("steps", **given), wanted)
    must(await client.assistants.get(assistant_id), wanted)
    await refused(client.assistants.create("steps", **given), 409, "exists")
    again = {**given, "if_exists": "do_nothing", "name": "Other"}
    must(await client.assistants.create("steps", **again), wanted)


@case("assistants.get: a graph's own, by the graph's id too; 404 for one that is not there")
async def _(client, _make):
    own = assistant(
        assistant_id=id_of("steps"), name="steps", description="Two steps.", metadata={"created_by": "system"}
    )
    must(await client.assistants.get(id_of("steps")), own)
    must(await client.assistants.get("steps"), own)
    await refused(client.assistants.get(new_id()), 404, "does not exist")
    await refused(client.assistants.create("nowhere"), 404, "nowhere")


@case("assistants.update, get_versions, set_latest: each change is a version, and any of them can be put in use")
async def _(client, _make):
    a_id = (await client.assistants.create("steps", metadata={"a": 1}))["assistant_id"]
    second = {"assistant_id": a_id, "name": "Second", "metadata": {"a": 1, "b": 2}, "version": 2}
    must(await client.assistants.update(a_id, name="Second", metadata={"b": 2}), assistant(**second))
    third = {**second, "graph_id": "told", "config": {"configurable": {"flavor": "x"}}, "version": 3}
    must(await client.assistants.update(a_id, graph_id="told", config=third["config"]), assistant(**third))
    must(
        await client.assistants.get_versions(a_id),
        [
            having(assistant_id=a_id, version=3, graph_id="told", created_at=text),
            having(version=2, name="Second"),
            having(version=1, name="Untitled", metadata={"a": 1}),
        ],
    )
    must(await client.assistants.get_versions(a_id, limit=1, offset=1), [having(version=2)])
    must(await client.assistants.get_versions(a_id, metadata={"b": 2}), [having(version=3), having(version=2)])
    must(await client.assistants.set_latest(a_id, 2), assistant(**second))
    must(await client.assistants.get(a_id), assistant(**second))
    await refused(client.assistants.set_latest(a_id, 9), 404, "version 9")


@case("assistants.search, count: by graph, name and metadata; sorted, in pages, with chosen fields")
async def _(client, _make):
    metadata = {"lot": new_id()}
    names = ["Cedar", "ash", "Birch"]
    for name in names:
        await client.assistants.create("steps", name=name, metadata=metadata)
    await client.assistants.create("told", name="Elm", metadata=metadata)

    async def named(**query):
        return [found["name"] for found in await client.assistants.search(metadata=metadata, **query)]

    must(await named(sort_by="created_at", sort_order="asc"), [*names, "Elm"])
    must(await named(graph_id="steps", sort_by="created_at", sort_order="desc"), ["Birch", "ash", "Cedar"])
    must(await named(name="SH"), ["ash"])
    must(await named(sort_by="created_at", sort_order="asc", limit=2, offset=1), ["ash", "Birch"])
    page = await client.assistants.search(metadata=metadata, limit=3, response_format="object")
    must(page, {"assistants": [record, record, record], "next": text})
    last = await client.assistants.search(metadata=metadata, limit=3, offset=3, response_format="object")
    must(last, {"assistants": [record], "next": None})
    chosen = await client.assistants.search(metadata=metadata, name="elm", select=["name", "graph_id"])
    must(chosen, [{"name": "Elm", "graph_id": "told"}])
    must(await client.assistants.count(metadata=metadata), 4)
    must(await client.assistants.count(metadata=metadata, graph_id="steps", name="a"), 2)


@case("assistants.get_graph: nodes and edges, with those of subgraphs on demand")
async def _(client, _make):
    plain = await client.assistants.get_graph("family")
    must(sorted(node["id"] for node in plain["nodes"]), ["__end__", "__start__", "after", "child"])
    must(plain["nodes"], each(having(id=text, type=text, data=anything)))
    edges = sorted(f"{edge['source']} {edge['target']}" for edge in plain["edges"])
    must(edges, ["__start__ child", "after __end__", "child after"])
    deep = await client.assistants.get_graph("family", xray=1)
    must("child:inner" in [node["id"] for node in deep["nodes"]], True, "subgraph")
    must(await client.assistants.get_graph("family", xray=True), deep)
    await refused(client.assistants.get_graph("nowhere"), 404, "nowhere")


@case("assistants.get_schemas, get_subgraphs: what goes in and out")
async def _(client, _make):
    told = await client.assistants.get_schemas("told")
    must(
        told,
        {
            "graph_id": "told",
            "input_schema": having(type="object", properties=having(topic=record, told=record)),
            "output_schema": record,
            "state_schema": record,
            "config_schema": anything,
            "context_schema": having(type="object", properties={"user": having(type="string")}),
        },
    )
    inner = having(state_schema=record)
    must(await client.assistants.get_subgraphs("family"), {"child": inner})
    must(await client.assistants.get_subgraphs("family", "child", recurse=True), {"child": inner})
    must(await client.assistants.get_subgraphs("steps"), {})


@case("assistants.delete: it is gone, and its threads where that is asked")
async def _(client, _make):
    a_id = (await client.assistants.create("steps"))["assistant_id"]
    thread_id = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread_id, a_id, input={})
    must(await client.assistants.delete(a_id, delete_threads=True), None)
    await refused(client.assistants.get(a_id), 404, "does not exist")
    await refused(client.assistants.delete(a_id), 404, "does not exist")
    await refused(client.threads.get(thread_id), 404, "does not exist")
    await refused(client.assistants.delete(id_of("steps")), 409, "graph")
