/** Merges sorted sources into one, each asked for no more than is needed of it, all for their first at once. */
export async function* merge<T>(sources: AsyncGenerator<T>[], compare: (a: T, b: T) => number): AsyncGenerator<T> {
  const heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
  for (;;) {
    let first: { source: AsyncGenerator<T>; value: T } | undefined;
    let at = -1;
    for (const [index, { source, next }] of heads.entries()) {
      if (next.done || (first && compare(first.value, next.value) <= 0)) continue;
      first = { source, value: next.value };
      at = index;
    }
    if (!first) return;
    yield first.value;
    heads[at] = { source: first.source, next: await first.source.next() };
  }
}
