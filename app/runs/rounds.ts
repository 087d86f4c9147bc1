/** Work that every process does again and again, at its own pace and without a leader. */

/**
 * Does it about each `pauseMs`, never twice at once, until stopped.
 * @param work must not fail: what went wrong is logged there, and the next round tries again
 * @returns `stop` resolves when a round that is under way has ended
 */
export function startRounds(work: () => Promise<void>, pauseMs: number): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;

  const schedule = () => {
    // Jitter keeps a fleet that started together from working together.
    const delay = pauseMs * (0.8 + 0.4 * Math.random());
    timer = setTimeout(() => {
      current = work().then(() => {
        if (!stopped) schedule();
      });
    }, delay);
  };
  schedule();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
