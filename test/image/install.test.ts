/** The steps on a user's project one by one: the package managers, another CPU, logins, rights of files. */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installFor, installProject } from "../../app/image/install.js";
import { installCommand } from "../../app/image/packageManager.js";
import { seal } from "../../app/image/seal.js";
import { writeProject } from "./support/projects.js";

const manifest = { name: "locked", dependencies: { ms: "^2.0.0" }, devDependencies: { "left-pad": "1.3.0" } };
const ms = "sha512-Tpp60P6IUJDTuOq/5Z8cdskzJujfwqfOTkrwIwj7IRISpnkJnT6SyJ4PCPnGMoFjC9ddhal5KVIYtAt97ix05A==";
const leftPad = "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==";

/** Lock files that hold ms at its first 2.0, as each manager writes them. */
const locks = {
  npm: {
    "package-lock.json": {
      name: "locked",
      lockfileVersion: 3,
      packages: {
        "": manifest,
        "node_modules/left-pad": { version: "1.3.0", integrity: leftPad, dev: true },
        "node_modules/ms": { version: "2.0.0", integrity: ms },
      },
    },
  },
  pnpm: {
    "pnpm-lock.yaml": `lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      ms: { specifier: ^2.0.0, version: 2.0.0 }
    devDependencies:
      left-pad: { specifier: 1.3.0, version: 1.3.0 }
packages:
  left-pad@1.3.0: { resolution: { integrity: ${leftPad} } }
  ms@2.0.0: { resolution: { integrity: ${ms} } }
snapshots:
  left-pad@1.3.0: {}
  ms@2.0.0: {}
`,
  },
  "yarn 1": {
    "yarn.lock": `# yarn lockfile v1


left-pad@1.3.0:
  version "1.3.0"
  resolved "https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz"
  integrity ${leftPad}

ms@^2.0.0:
  version "2.0.0"
  resolved "https://registry.yarnpkg.com/ms/-/ms-2.0.0.tgz"
  integrity ${ms}
`,
  },
  "yarn 4": {
    "yarn.lock": `__metadata:
  version: 10
  cacheKey: 10c0

"left-pad@npm:1.3.0":
  version: 1.3.0
  resolution: "left-pad@npm:1.3.0"
  languageName: node
  linkType: hard

"locked@workspace:.":
  version: 0.0.0-use.local
  resolution: "locked@workspace:."
  dependencies:
    left-pad: "npm:1.3.0"
    ms: "npm:^2.0.0"
  languageName: unknown
  linkType: soft

"ms@npm:^2.0.0":
  version: 2.0.0
  resolution: "ms@npm:2.0.0"
  languageName: node
  linkType: hard
`,
  },
};

test.each(Object.entries(locks))("%s installs what its lock file says, without development", async (_name, lock) => {
  const folder = await writeProject({ "package.json": manifest, ...lock });
  await installProject(folder, process.env);
  const installed = JSON.parse(readFileSync(join(folder, "node_modules/ms/package.json"), "utf8"));
  expect(installed.version).toBe("2.0.0");
  expect(existsSync(join(folder, "node_modules/left-pad"))).toBe(false);
});

test("packageManager in package.json wins over lock files, with its version", async () => {
  const folder = await writeProject({
    "package.json": { packageManager: "pnpm@9.15.4+sha512.abc" },
    "yarn.lock": "",
  });
  expect(installCommand(folder, undefined).args.join(" ")).toContain("--package=pnpm@9.15.4 -- pnpm install --prod");
});

test("tasks on another CPU than the build's get packages for theirs", async () => {
  const folder = await writeProject({ "package.json": { dependencies: { esbuild: "0.28.2" } } });
  await installProject(folder, process.env);
  const here = process.arch === "x64" ? "amd64" : "arm64";
  const before = readdirSync(join(folder, "node_modules/@esbuild"));
  await installFor(here, folder, process.env);
  expect(readdirSync(join(folder, "node_modules/@esbuild"))).toEqual(before);
  await installFor(here === "amd64" ? "arm64" : "amd64", folder, process.env);
  expect(readdirSync(join(folder, "node_modules/@esbuild"))).toEqual([here === "amd64" ? "linux-arm64" : "linux-x64"]);
});

test("a project without a package.json, with bun, or of yarn for another CPU is told what to do", async () => {
  const bare = await writeProject({ "langgraph.json": {} });
  await expect(installProject(bare, {})).rejects.toThrow("there is no package.json beside langgraph.json");
  const bun = await writeProject({ "package.json": { packageManager: "bun@1.2.0" } });
  await expect(installProject(bun, {})).rejects.toThrow("bun is not supported; the image installs with npm, pnpm");
  const yarn = await writeProject({ "package.json": {}, "yarn.lock": "" });
  expect(() => installCommand(yarn, "arm64")).toThrow("yarn can't install for another machine (arm64)");
});

test("a token logs in without being written down, and no login stays in the image", async () => {
  const folder = await writeProject({ "package.json": {}, "nested/.npmrc": "//r/:_authToken=secret" });
  await installProject(folder, { ...process.env, NPM_TOKEN: "npm_secret" });

  expect(readFileSync(join(folder, ".npmrc"), "utf8")).toMatch(/:_authToken=\$\{NPM_TOKEN\}$/m);
  await seal(folder);
  expect(readdirSync(folder, { recursive: true }).filter((path) => String(path).includes(".npmrc"))).toEqual([]);
});

test("files that only their author could read can be read by nobody's roles", async () => {
  const folder = await writeProject({ "src/agent.js": "", "bin/tool": "" });
  chmodSync(join(folder, "src/agent.js"), 0o600);
  chmodSync(join(folder, "bin/tool"), 0o700);
  chmodSync(join(folder, "src"), 0o700);
  await seal(folder);
  const rights = (path: string) => (statSync(join(folder, path)).mode & 0o777).toString(8);
  expect([rights("src"), rights("src/agent.js"), rights("bin/tool")]).toEqual(["755", "644", "755"]);
});
