import { scenario } from "./scenario.js";

export const system = [
  scenario("the server", async (side) => {
    await side.call("GET /ok");
    await side.call("GET /info");
    await side.call("POST /internal/truncate", { body: {} });
    await side.call("POST /internal/truncate", { about: "no flag", body: { runs: "yes" } });
  }),
];
