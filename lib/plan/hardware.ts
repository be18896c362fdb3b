/**
 * Accelerators and their links, from the makers' data sheets: dense bf16 TFLOP/s, memory bandwidth and
 * size as the driver reports it, the link between the GPUs of a node and the network of a node, both
 * per GPU and direction. What of these a run reaches is in `Efficiency`, measured by others until the
 * project's own GPU results replace it (docs/plan.md).
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

interface Gpu {
  name: string
  /** Operations per second on dense bf16. */
  flops: number
  /** Bytes per second of its memory. */
  bandwidth: number
  /** Bytes that a process can use. */
  memory: number
  /** Bytes per second to the other GPUs of its node, one direction. */
  link: number
}

const T = 1e12
const GIB = 2 ** 30
/** One 400 Gbit/s network port a GPU, as in the usual 8-GPU nodes. */
const NETWORK = 50e9

const GPUS: readonly Gpu[] = [
  { name: 'H200', flops: 989 * T, bandwidth: 4.8 * T, memory: 139 * GIB, link: 450e9 },
  { name: 'H100-80GB', flops: 989 * T, bandwidth: 3.35 * T, memory: 79 * GIB, link: 450e9 },
  { name: 'B200', flops: 2250 * T, bandwidth: 8 * T, memory: 178 * GIB, link: 900e9 },
  { name: 'A100-80GB', flops: 312 * T, bandwidth: 2.04 * T, memory: 79 * GIB, link: 300e9 },
  { name: 'A100-40GB', flops: 312 * T, bandwidth: 1.56 * T, memory: 39 * GIB, link: 300e9 },
  { name: 'L40S', flops: 362 * T, bandwidth: 0.864 * T, memory: 44 * GIB, link: 32e9 },
  { name: 'RTX4090', flops: 165 * T, bandwidth: 1.01 * T, memory: 23 * GIB, link: 32e9 },
  { name: 'RTX5090', flops: 210 * T, bandwidth: 1.79 * T, memory: 31 * GIB, link: 64e9 },
]

/** Shares of the data sheet's figures that well-made kernels reach. */
export interface Efficiency {
  /** Matrix products on random data. */
  matmul: number
  /** Fused attention of head dimension 128, forward and backward together. */
  attention: number
  /** Kernels that only move memory. */
  bandwidth: number
  /** Collectives, of the link's rate. */
  collective: number
}

export const EFFICIENCY: Efficiency = {
  matmul: 0.77,
  attention: 0.5,
  bandwidth: 0.9,
  collective: 0.8,
}

export interface Cluster {
  gpu: Gpu
  /** Processes on a processor: memory is planned; time is measured there, or not known. */
  cpu?: boolean
  nodes: number
  perNode: number
  ranks: number
}

/** Most ranks that a plan is made for. */
const MOST = 4096

/** Ranks on the processor at hand, with so many bytes in all. */
export function processor(memory: number, ranks: number): Cluster {
  const name = `CPU-${Math.floor(memory / ranks / GIB)}GB`
  const gpu = { name, flops: 0, bandwidth: 0, memory: memory / ranks, link: 0 }
  return { gpu, cpu: true, nodes: 1, perNode: ranks, ranks }
}

/** "CPU-64GB" or "4xCPU-64GB": ranks on a processor, each with so much memory; else null. */
function parseProcessor(text: string): Cluster | null {
  const match = /^(?:([1-9]\d{0,3})x)?CPU-([1-9]\d{0,5})GB$/i.exec(text)
  const ranks = Number(match?.[1] ?? 1)
  if (!match || ranks > MOST) return null
  return processor(Number(match[2]) * GIB * ranks, ranks)
}

/** Reads "H200", "8xH100-80GB", "2x8xH100-80GB" (nodes × GPUs) or "CPU-64GB". Errors: `E_CONFIG`. */
export function parseCluster(text: string): Cluster {
  const processor = parseProcessor(text)
  if (processor) return processor
  const match = /^(?:(\d+)x)?(?:(\d+)x)?([A-Za-z][\w-]*)$/.exec(text)
  const wanted = match?.[3]?.toLowerCase()
  const gpu = GPUS.find(({ name }) => name.toLowerCase() === wanted)
  if (!match || !gpu) {
    const names = GPUS.map(({ name }) => name).join(', ')
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        '--gpus: expected e.g. H200, 8xH100-80GB, 2x8xH100-80GB or CPU-64GB, got "{text}"; GPUs: {names}',
        { text, names },
      ),
    )
  }
  const [first, second] = [Number(match[1] ?? 1), match[2] === undefined ? null : Number(match[2])]
  // A single count of more than 8 is that many GPUs in nodes of 8.
  const single = first <= 8 ? [1, first] : [Math.ceil(first / 8), 8]
  const [nodes, perNode] = second === null ? (single as [number, number]) : [first, second]
  const ranks = nodes * perNode
  if (second === null && ranks !== first) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('--gpus: {gpus} GPUs are not whole nodes of 8', { gpus: first }),
    )
  }
  if (ranks < 1 || ranks > MOST) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('--gpus: {ranks} ranks; a plan is made for 1 to {most}', { ranks, most: MOST }),
    )
  }
  return { gpu, nodes, perNode, ranks }
}

/** Bytes per second of a ring collective for each rank: the slowest link that the ring crosses. */
export function collectiveRate({ gpu, nodes }: Cluster, efficiency: Efficiency): number {
  return (nodes > 1 ? Math.min(gpu.link, NETWORK) : gpu.link) * efficiency.collective
}
