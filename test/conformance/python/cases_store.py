"""client.store"""

from check import must, refused, time
from support import case, new_id


def item(namespace, key, value):
    return {"namespace": namespace, "key": key, "value": value, "created_at": time, "updated_at": time}


def found(namespace, key, value):
    return {**item(namespace, key, value), "score": None}


@case("store.put_item, get_item, delete_item: an item comes, changes and goes")
async def _(client, _make):
    store, place = client.store, ["py", new_id()]
    must(await store.put_item(place, "k", {"a": [], "b": {"c": None}}), None)
    must(await store.get_item(place, "k"), item(place, "k", {"a": [], "b": {"c": None}}))
    await store.put_item(place, "k", {"a": 2}, index=False, ttl=60)
    must(await store.get_item(place, "k", refresh_ttl=False), item(place, "k", {"a": 2}))
    must(await store.delete_item(place, "k"), None)
    must(await store.get_item(place, "k"), None)
    await refused(store.put_item([], "k", {}), 422, "namespace")
    await refused(store.put_item(["a", ""], "k", {}), 422, "namespace")


@case("store.search_items: below a prefix of whole labels, by fields, in pages")
async def _(client, _make):
    store, top = client.store, new_id()
    place = ["py", top, "notes"]
    for n in (1, 2, 3):
        await store.put_item(place, f"n{n}", {"n": n, "kind": "b" if n > 1 else "a"})
    await store.put_item(["py", f"{top}x"], "other", {"n": 1})
    everything = [found(place, f"n{n}", {"n": n, "kind": "b" if n > 1 else "a"}) for n in (3, 2, 1)]
    must(await store.search_items(["py", top]), {"items": everything})
    must(await store.search_items(place, filter={"kind": "b", "n": {"$lt": 3}}), {"items": everything[1:2]})
    must(await store.search_items(place, limit=1, offset=1, query="n", refresh_ttl=False), {"items": everything[1:2]})


@case("store.list_namespaces: by prefix, suffix and depth")
async def _(client, _make):
    store, top = client.store, new_id()
    for path in (["a", "x"], ["b", "x"], ["b", "y", "z"]):
        await store.put_item([top, *path], "k", {})
    everything = [[top, "a", "x"], [top, "b", "x"], [top, "b", "y", "z"]]
    must(await store.list_namespaces(prefix=[top]), {"namespaces": everything})
    must(await store.list_namespaces(prefix=[top], suffix=["x"]), {"namespaces": everything[:2]})
    must(await store.list_namespaces(prefix=[top], max_depth=2), {"namespaces": [[top, "a"], [top, "b"]]})
    must(await store.list_namespaces(prefix=[top], limit=1, offset=1), {"namespaces": everything[1:2]})
