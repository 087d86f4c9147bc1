"""RemoteGraph of Python's LangGraph: a graph of this server as a local one. Prints a line of JSON a case."""

import asyncio
import json
import os
import uuid as uuids
from typing import TypedDict

from check import having, is_, must, text, uuid
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command

DONE = {"topic": "a", "items": ["first", "second"]}


def remote(graph):
    return RemoteGraph(graph, url=os.environ["API_URL"], api_key="none")


def on():
    return {"configurable": {"thread_id": str(uuids.uuid4())}}


async def invoke():
    must(await remote("steps").ainvoke({"topic": "a"}), DONE)
    must(await asyncio.to_thread(remote("steps").invoke, {"topic": "a"}, on()), DONE)


async def stream():
    updates = [chunk async for chunk in remote("steps").astream({"topic": "a"}, stream_mode="updates")]
    must(updates, [{"first": {"items": ["first"]}}, {"second": {"items": ["second"]}}])
    both = [chunk async for chunk in remote("steps").astream({"topic": "a"}, stream_mode=["values", "updates"])]
    must(list(both[-1])[:2], ["values", DONE])
    inner = [list(c) async for c in remote("family").astream({"topic": "x"}, stream_mode="updates", subgraphs=True)]
    must(inner[0][1], {"inner": {"items": ["inner x"]}})
    must(inner[0][0][0].startswith("child:"), True, "the child's namespace")


async def states():
    graph, config = remote("steps"), on()
    await graph.ainvoke({"topic": "a"}, config)
    newest = await graph.aget_state(config)
    must(newest.values, DONE)
    must(newest.config["configurable"], having(checkpoint_ns="", checkpoint_id=uuid, **config["configurable"]))
    must(newest.created_at, text)
    history = [state async for state in graph.aget_state_history(config)]
    must([list(state.next) for state in history], [[], ["second"], ["first"], ["__start__"]])
    must(list((await graph.aget_state(history[1].config)).next), ["second"])
    await graph.aupdate_state(config, {"items": ["by hand"]}, as_node="first")
    must((await graph.aget_state(config)).values["items"], ["first", "second", "by hand"])


async def interrupts():
    graph, config = remote("asks"), on()
    question = {"question": "May I go?"}
    must(await graph.ainvoke({"topic": "go"}, config), having(__interrupt__=[having(value=question)]))
    tasks = (await graph.aget_state(config)).tasks
    must([task.interrupts[0].value for task in tasks], [question])
    must(await graph.ainvoke(Command(resume="yes"), config), {"topic": "go", "items": ["answered yes"]})


async def draws():
    drawn = await remote("steps").aget_graph()
    must(sorted(drawn.nodes), ["__end__", "__start__", "first", "second"])


async def local_node():
    class State(TypedDict):
        topic: str
        items: list

    graph = StateGraph(State).add_node("remote", remote("steps"))
    graph = graph.add_node("after", lambda state: {"items": [*state["items"], "after"]})
    graph = graph.add_edge(START, "remote").add_edge("remote", "after").add_edge("after", END).compile()
    must(await graph.ainvoke({"topic": "a"}), {"topic": "a", "items": ["first", "second", "after"]})


async def throws():
    try:
        await remote("fails").ainvoke({}, on())
        raise AssertionError("nothing was thrown")
    except RemoteException as error:
        must(str(error), is_("an error that says planned", lambda message: "planned" in message))


async def main():
    for case in (invoke, stream, states, interrupts, draws, local_node, throws):
        try:
            await case()
            error = None
        except Exception as reason:
            error = f"{type(reason).__name__}: {reason}" + "".join(getattr(reason, "__notes__", []))
        print(json.dumps({"case": case.__name__, "error": error}), flush=True)


asyncio.run(main())
