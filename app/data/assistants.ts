/**
 * Assistants: a graph with defaults, a name and metadata. Each graph brings one, made by the system, whose id follows from
 * the graph's; clients make more. All are kept in Redis, so what one server makes every other sees; a change makes a
 * version, and any version can be put in use again.
 */
import {
  type Assistant,
  type AssistantBody,
  type AssistantFilter,
  type AssistantRecord,
  AssistantRefused,
  bodyOf,
  isIndexed,
  matches,
  termsOf,
} from "./assistants/record.js";
import type { AssistantPut, AssistantStore, PutAnswer } from "./assistants/store.js";
import type { UnchangedSystems } from "./assistants/systems.js";
import type { AssistantThreads } from "./assistants/threads.js";
import { MOST_METADATA_KEYS } from "./threads/terms.js";

export { type Assistant, type AssistantFilter, AssistantRefused } from "./assistants/record.js";

/** What no index answers is looked at one by one. */
const MOST_LOOKED_AT = 1_000;
/** What indexes answer in no order yet is sorted by Redis, which does nothing else meanwhile: some 30 ms. */
const MOST_SORTED = 10_000;
const VERSIONS_A_STEP = 100;
/** Whoever changes the same assistant at the same time goes first at most so often. */
const MOST_TRIES = 10;

export const SORT_KEYS = ["assistant_id", "created_at", "updated_at", "name", "graph_id"] as const;

export interface Page {
  sortBy: (typeof SORT_KEYS)[number];
  sortOrder: "asc" | "desc";
  offset: number;
  limit: number;
}

/** `metadata` is put over what is there; all else that is given takes the place of what was there. */
export type AssistantChange = { [K in keyof AssistantBody]?: AssistantBody[K] | undefined };

export interface AssistantsDeps {
  store: AssistantStore;
  systems: UnchangedSystems;
  /** The id of the assistant that a graph of langgraph.json brings. */
  systemIds: ReadonlyMap<string, string>;
  threads: Pick<AssistantThreads, "leave">;
}

export class Assistants {
  constructor(private readonly deps: AssistantsDeps) {}

  /** One round trip; none for a graph's own assistant that nobody changed. @param id its id, or a graph's for its own */
  async get(id: string): Promise<Assistant | undefined> {
    const assistantId = this.#idOf(id);
    return this.deps.systems.get(assistantId) ?? (await this.deps.store.read(assistantId));
  }

  /** The assistant of a new run. @throws AssistantRefused `assistant_missing`, `graph_missing` */
  async forRun(id: string): Promise<Assistant> {
    const assistant = await this.get(id);
    if (!assistant) throw missing(id);
    this.#requireGraph(assistant.graphId);
    return assistant;
  }

  /** @throws AssistantRefused `exists`, `graph_missing`, `too_much` */
  async create(assistantId: string, body: AssistantBody, ifExists: "raise" | "do_nothing"): Promise<Assistant> {
    this.#requireGraph(body.graphId);
    const answer = await this.#put({ assistantId, body });
    if (answer.word === "put" || (answer.word === "changed" && ifExists === "do_nothing")) return answer.record;
    throw new AssistantRefused("exists", `assistant ${assistantId} exists; send if_exists: "do_nothing" to get it`);
  }

  /** Makes a new version. @throws AssistantRefused `assistant_missing`, `graph_missing`, `too_much` */
  async change(id: string, change: AssistantChange): Promise<Assistant> {
    if (change.graphId !== undefined) this.#requireGraph(change.graphId);
    return await this.#overwrite(id, async (current) => {
      const metadata = { ...current.metadata, ...change.metadata };
      const given = Object.entries(change).filter(([, value]) => value !== undefined);
      return { body: { ...bodyOf(current), ...Object.fromEntries(given), metadata } };
    });
  }

  /** Puts an earlier version in use. @throws AssistantRefused `assistant_missing`, `version_missing` */
  async useVersion(id: string, version: number): Promise<Assistant> {
    return await this.#overwrite(id, async ({ assistantId }) => {
      const [found] = await this.deps.store.versions(assistantId, version, 1);
      if (!found) throw new AssistantRefused("version_missing", `version ${version} of assistant ${id} does not exist`);
      return { version, body: bodyOf(found) };
    });
  }

  /** Newest first. @throws AssistantRefused `assistant_missing`, `too_much` */
  async versions(
    id: string,
    { metadata, offset, limit }: { metadata: AssistantFilter["metadata"]; offset: number; limit: number },
  ): Promise<Assistant[]> {
    const { store } = this.deps;
    const assistantId = this.#idOf(id);
    const newest = await store.newestVersion(assistantId);
    if (newest === undefined) throw missing(id);
    if (!metadata) return await store.versions(assistantId, newest - offset, limit);

    const found: Assistant[] = [];
    for (let looked = 0; looked < newest && found.length < offset + limit; looked += VERSIONS_A_STEP) {
      if (looked >= MOST_LOOKED_AT)
        throw new AssistantRefused("too_much", `metadata: only the newest ${MOST_LOOKED_AT} versions can be searched`);
      const page = await store.versions(assistantId, newest - looked, VERSIONS_A_STEP);
      found.push(...page.filter((version) => matches(version, { metadata })));
    }
    return found.slice(offset, offset + limit);
  }

  /**
   * Deletes an assistant with its versions; its open runs are cancelled.
   * @throws AssistantRefused `assistant_missing`; `of_the_system` for the one that a graph of langgraph.json brings
   */
  async delete(id: string, { deleteThreads }: { deleteThreads: boolean }): Promise<void> {
    const { store, systemIds, threads } = this.deps;
    const assistantId = this.#idOf(id);
    if ([...systemIds.values()].includes(assistantId))
      throw new AssistantRefused(
        "of_the_system",
        `assistant ${id} belongs to a graph of langgraph.json and stays with it`,
      );
    if (!(await store.delete(assistantId))) throw missing(id);
    await threads.leave(assistantId, { deleteThreads });
  }

  /** @throws AssistantRefused `too_much` where a filter that no index answers is left with too many */
  async find(filter: AssistantFilter, page: Page): Promise<{ total: number; page: Assistant[] }> {
    requireFewKeys(filter.metadata ?? {});
    if (isIndexed(filter)) {
      const filtered = Object.keys(filter.metadata ?? {}).length > 0;
      return await this.#find(filter, page, filtered ? MOST_SORTED : Number.MAX_SAFE_INTEGER);
    }
    const { page: candidates } = await this.#find(
      filter,
      { ...page, offset: 0, limit: MOST_LOOKED_AT },
      MOST_LOOKED_AT,
    );
    const found = candidates.filter((assistant) => matches(assistant, filter));
    return { total: found.length, page: found.slice(page.offset, page.offset + page.limit) };
  }

  async #find(filter: AssistantFilter, { sortBy, sortOrder, offset, limit }: Page, most: number) {
    const { graphId = "", metadata } = filter;
    const terms = termsOf(metadata && Object.keys(metadata).length > 0 ? filter : {});
    const { total, page } = await this.deps.store.find({ sortBy, sortOrder, offset, limit, most, graphId, terms });
    if (total > most)
      throw new AssistantRefused(
        "too_much",
        `body: ${total} assistants must be looked at for this search, at most ${most} are; give graph_id or a plain ` +
          "value of metadata",
      );
    return { total, page };
  }

  /** Reads, lets `next` decide, and writes, until nobody has written between. */
  async #overwrite(
    id: string,
    next: (current: AssistantRecord) => Promise<{ version?: number; body: AssistantBody }>,
  ): Promise<Assistant> {
    const assistantId = this.#idOf(id);
    let current = await this.deps.store.read(assistantId);
    if (current) await this.deps.systems.tell(assistantId);
    for (let tries = 0; tries < MOST_TRIES && current; tries++) {
      const answer = await this.#put({ assistantId, revision: current.revision, ...(await next(current)) });
      if (answer.word === "put") return answer.record;
      current = answer.word === "changed" ? answer.record : undefined;
    }
    if (current) throw new AssistantRefused("busy", `assistant ${id} is being changed by too many at once; try again`);
    throw missing(id);
  }

  async #put(put: AssistantPut): Promise<PutAnswer> {
    requireFewKeys(put.body.metadata);
    return await this.deps.store.put(put);
  }

  #idOf(id: string): string {
    return this.deps.systemIds.get(id) ?? id.toLowerCase();
  }

  #requireGraph(graphId: string): void {
    if (!this.deps.systemIds.has(graphId))
      throw new AssistantRefused("graph_missing", `graph ${graphId} does not exist`);
  }
}

const missing = (id: string) => new AssistantRefused("assistant_missing", `assistant ${id} does not exist`);

function requireFewKeys(metadata: Record<string, unknown>): void {
  if (Object.keys(metadata).length > MOST_METADATA_KEYS)
    throw new AssistantRefused("too_much", `body.metadata: must hold at most ${MOST_METADATA_KEYS} keys`);
}
