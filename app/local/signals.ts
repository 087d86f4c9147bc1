/** What ends `npm start`: the first signal drains, a second one ends at once. */

/**
 * In a terminal npm passes a Ctrl-C on that we have already had, so two that come together are one.
 * (npm, run-script: its signal manager forwards SIGINT and SIGTERM to what it runs.)
 */
const SAME_KEYSTROKE_MS = 250;
const PARENT_CHECK_MS = 500;

export interface StopSignal {
  /** Aborts at the first signal. */
  first: AbortSignal;
  /** Resolves at the first signal. */
  stopped: Promise<void>;
  /** Called at the second. */
  onSecond(action: () => void): void;
}

/**
 * @param parentMatters whether the end of the parent process is a signal too: npm, and the shell between us, pass
 *   nothing on when they are killed
 */
export function stopSignal(parentMatters: boolean): StopSignal {
  const first = new AbortController();
  const actions: Array<() => void> = [];
  let firstAt = Number.NaN;
  const heard = () => {
    if (!first.signal.aborted) {
      firstAt = performance.now();
      first.abort();
    } else if (performance.now() - firstAt > SAME_KEYSTROKE_MS) for (const action of actions) action();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, heard);
  if (parentMatters) {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      if (!first.signal.aborted) heard();
    }, PARENT_CHECK_MS);
    watch.unref();
  }
  const stopped = new Promise<void>((resolve) => first.signal.addEventListener("abort", () => resolve()));
  return { first: first.signal, stopped, onSecond: (action) => void actions.push(action) };
}
