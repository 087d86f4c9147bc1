/** The pairs of CPU and memory that Fargate sells; another pair is refused only when the first task starts. */

/** Smallest, largest and step of the memory, MiB, for each CPU in units (ECS, task definition parameters, task size). */
const sizes = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
} as const satisfies Record<number, readonly [number, number, number]>;

/** CPU of a task, in units: 1024 are one vCPU. */
export type FargateCpu = keyof typeof sizes;

export interface FargateSize {
  cpu: FargateCpu;
  /** MiB. */
  memory: number;
}

export const fargateCpus = Object.keys(sizes).map(Number);

/** MiB that go with a CPU, smallest first; none for a CPU that Fargate doesn't have. */
export function fargateMemories(cpu: number): number[] {
  if (!isCpu(cpu)) return [];
  const [least, most, step] = sizes[cpu];
  const memories = Array.from({ length: (most - least) / step + 1 }, (_, index) => least + index * step);
  // The smallest CPU has no 1536.
  return cpu === 256 ? memories.filter((memory) => memory !== 1536) : memories;
}

/** The size, or undefined where Fargate has no such pair. */
export function fargateSize(cpu: number, memory: number): FargateSize | undefined {
  return isCpu(cpu) && fargateMemories(cpu).includes(memory) ? { cpu, memory } : undefined;
}

function isCpu(cpu: number): cpu is FargateCpu {
  return cpu in sizes;
}
