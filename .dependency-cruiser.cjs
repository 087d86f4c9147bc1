/**
 * The table of rooms (docs/architecture.md), held in CI: who may import whom.
 * A room is a folder of `app`; everyone may import settings and telemetry.
 */
const rooms = {
  http: ["runs", "data", "graphs", "auth", "redis"],
  auth: ["redis"],
  runs: ["redis"],
  webhooks: ["runs", "graphs", "redis"],
  worker: ["runs", "data", "graphs", "redis"],
  data: ["runs", "redis"],
  graphs: [],
  image: [],
  redis: [],
  telemetry: [],
  local: ["redis"],
  agents: [],
};

const open = ["telemetry"];

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "infra-and-app-are-apart", severity: "error", from: { path: "^infra" }, to: { path: "^app" } },
    { name: "app-and-infra-are-apart", severity: "error", from: { path: "^app" }, to: { path: "^infra" } },
    { name: "nothing-imports-tests", severity: "error", from: { path: "^(app|infra)" }, to: { path: "^test" } },
    {
      name: "no-undeclared-packages",
      severity: "error",
      from: { path: "^(app|infra)", pathNot: "^app/agents" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
    { name: "not-resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "agents-are-users-code",
      comment: "the bundled agents are written as any user's would be",
      severity: "error",
      from: { path: "^app/agents" },
      to: { path: "^app/(?!agents)" },
    },
    ...Object.entries(rooms).map(([room, may]) => ({
      name: `room-${room}`,
      severity: "error",
      from: { path: `^app/${room}/` },
      to: { path: `^app/[^/]+/`, pathNot: `^app/(${[room, ...open, ...may].join("|")})/` },
    })),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|node_modules)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] },
  },
};
