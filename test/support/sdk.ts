/** What tests that drive the official SDK share. */

/** The input of the bundled agents. */
export const ask = (content: string) => ({ messages: [{ role: "user", content }] });

/** One event as the SDK's streams yield it. */
export interface Chunk {
  id?: string | undefined;
  event: string;
  data: unknown;
}

export async function collectChunks(stream: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
