/**
 * Where a key lives. A thread, its runs, their events, leases and queue share one partition and so one hash slot: every
 * move of a run is one script. Sixteen partitions in every form of Redis, so that a change of form is a restore.
 */
export const PARTITIONS = 16;
export const ALL_PARTITIONS: readonly number[] = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** The partition of a thread and of all that belongs to it (a stateless run's thread has the run's id). */
export function partitionOf(threadId: string): number {
  return crc16(threadId) % PARTITIONS;
}

/** Names keys and channels: `{sw:3}:run:<id>`. The braces make Redis hash only the partition. */
export class Keys {
  constructor(readonly prefix: string) {}

  /** The hash tag of a partition; every key in it begins so. */
  tag(partition: number): string {
    return `{${this.prefix}:${partition}}`;
  }

  /** A key or channel of a thread's partition. */
  of(threadId: string, kind: string, ...ids: string[]): string {
    return [this.tag(partitionOf(threadId)), kind, ...ids].join(":");
  }

  /** A key or channel of a partition as a whole. */
  in(partition: number, kind: string, ...ids: string[]): string {
    return [this.tag(partition), kind, ...ids].join(":");
  }
}

const table = new Uint16Array(256).map((_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** CRC-16/XMODEM, as Redis Cluster hashes keys (redis.io, cluster specification, appendix A). */
export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) crc = ((crc << 8) ^ (table[((crc >> 8) ^ byte) & 0xff] ?? 0)) & 0xffff;
  return crc;
}
