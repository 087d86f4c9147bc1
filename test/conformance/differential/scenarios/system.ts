import { scenario, threadAfter } from "./scenario.js";

export const system = [
  scenario("the server", async (side) => {
    await side.call("GET /ok");
    await side.call("GET /info");
    const nothing = { runs: false, threads: false, assistants: false, checkpointer: false, store: false };
    await side.call("POST /internal/truncate", { about: "nothing", body: nothing });
    await side.call("POST /internal/truncate", { about: "no flag", body: { runs: "yes" } });
  }),
];

/** It takes what the others are about: when those have come to their end. */
export const last = [
  scenario("the server: emptied", async (side) => {
    const path = await threadAfter(side, { assistant_id: "steps", input: {} });
    const item = { namespace: ["emptied"], key: "k", value: { a: 1 } };
    await side.send("PUT /store/items", { body: item });
    await side.send("POST /assistants", { body: { graph_id: "chat", name: "Emptied" } });
    const all = { runs: true, threads: true, assistants: true, checkpointer: true, store: true };
    await side.call("POST /internal/truncate", { about: "all", body: all });
    await side.call("GET /threads/{thread_id}", { about: "emptied", path });
    await side.call("GET /store/items", { about: "emptied", query: { namespace: "emptied", key: "k" } });
    await side.call("POST /assistants/search", { about: "emptied", body: {}, sortBy: ({ name }) => String(name) });
    await side.call("POST /threads/count", { about: "emptied", body: {} });
  }),
];
