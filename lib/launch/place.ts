/**
 * Which rank of how many this process is, by the environment that its launcher made: kogrpo launch
 * and torchrun (RANK, WORLD_SIZE, …), Slurm's srun (SLURM_PROCID, …) or Open MPI's mpirun
 * (OMPI_COMM_WORLD_RANK, …). A process without any of them is alone.
 *
 * Ranks find each other at the rendezvous store. kogrpo launch serves it itself; elsewhere rank 0
 * does, at MASTER_PORT, or one above it under torchrun, whose agent may hold MASTER_PORT.
 */
import { DEVICES, type DeviceName } from '../engine/device.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** A process's place among the ranks of a run. */
export interface Place {
  rank: number
  size: number
  /** Ranks on this machine, which share its processors, and which of them this is. */
  localSize: number
  localRank: number
  host: string
  port: number
  /** Name of this attempt of the run. */
  run: string
  /** Whether this process serves the store. */
  serves: boolean
  /** Seconds of silence after which a rank counts as lost. */
  patience: number
  /** Seconds that ranks wait for a slow one. */
  limit: number
}

type Environment = Record<string, string | undefined>

/** The shortest time-out is a millisecond; the longest, 23 days, an integer of 32 bits of them (comm/store.h). */
const LEAST_SECONDS = 0.001
const MOST_SECONDS = 2_000_000

/** Ports for Slurm's jobs, which name none: one a job, above those of the system. */
const SLURM_PORTS = { first: 20_000, count: 12_000 }
const DEFAULT_PORT = 29_511

/** This process's place; null if it is alone. Throws `E_RANKS` for half an environment. */
export function placeOf(env: Environment): Place | null {
  const waits = {
    patience: seconds(env, 'KOGRPO_RANK_TIMEOUT', 20),
    limit: seconds(env, 'KOGRPO_RANK_LIMIT', 1800),
  }
  if (env.RANK !== undefined || env.WORLD_SIZE !== undefined) {
    const launched = env.KOGRPO_LAUNCH !== undefined
    const agent = env.TORCHELASTIC_RUN_ID !== undefined
    const rank = whole(env, 'RANK')
    const size = whole(env, 'WORLD_SIZE')
    return checked({
      rank,
      size,
      localSize: env.LOCAL_WORLD_SIZE === undefined ? 1 : whole(env, 'LOCAL_WORLD_SIZE'),
      localRank: env.LOCAL_RANK === undefined ? 0 : whole(env, 'LOCAL_RANK'),
      host: text(env, 'MASTER_ADDR'),
      port: whole(env, 'MASTER_PORT') + (agent ? 1 : 0),
      run: launched
        ? env.KOGRPO_LAUNCH!
        : `${env.TORCHELASTIC_RUN_ID ?? 'run'}-${env.TORCHELASTIC_RESTART_COUNT ?? 0}`,
      serves: !launched && rank === 0,
      ...waits,
    })
  }
  // SLURM_STEP_ID: within srun; a batch script itself has a SLURM_PROCID too, and is no rank.
  if (env.SLURM_STEP_ID !== undefined && Number(env.SLURM_NTASKS) > 1) {
    const rank = whole(env, 'SLURM_PROCID')
    const job = whole(env, 'SLURM_JOB_ID')
    return checked({
      rank,
      size: whole(env, 'SLURM_NTASKS'),
      localSize: Number(/^\d+/.exec(env.SLURM_STEP_TASKS_PER_NODE ?? '1')?.[0] ?? 1),
      localRank: env.SLURM_LOCALID === undefined ? 0 : whole(env, 'SLURM_LOCALID'),
      host: env.MASTER_ADDR ?? firstNode(text(env, 'SLURM_STEP_NODELIST')),
      port:
        env.MASTER_PORT === undefined
          ? SLURM_PORTS.first + (job % SLURM_PORTS.count)
          : whole(env, 'MASTER_PORT'),
      run: `${job}.${env.SLURM_STEP_ID}`,
      serves: rank === 0,
      ...waits,
    })
  }
  if (env.OMPI_COMM_WORLD_RANK !== undefined) {
    const rank = whole(env, 'OMPI_COMM_WORLD_RANK')
    const size = whole(env, 'OMPI_COMM_WORLD_SIZE')
    const localSize = whole(env, 'OMPI_COMM_WORLD_LOCAL_SIZE')
    if (env.MASTER_ADDR === undefined && localSize !== size) {
      throw new KogrpoError(
        'E_RANKS',
        phrase('mpirun over several machines: name the one of rank 0 with -x MASTER_ADDR=host'),
      )
    }
    return checked({
      rank,
      size,
      localSize,
      localRank:
        env.OMPI_COMM_WORLD_LOCAL_RANK === undefined ? 0 : whole(env, 'OMPI_COMM_WORLD_LOCAL_RANK'),
      host: env.MASTER_ADDR ?? '127.0.0.1',
      port: env.MASTER_PORT === undefined ? DEFAULT_PORT : whole(env, 'MASTER_PORT'),
      run: env.PMIX_NAMESPACE ?? 'mpirun',
      serves: rank === 0,
      ...waits,
    })
  }
  return null
}

/**
 * The device of a rank: of several on one machine each has the GPU of its number there. Where a
 * launcher shows each rank one GPU alone (srun --gpus-per-task=1), that is the first. Throws
 * `E_DEVICE` where all would have the same one.
 */
export function deviceOf(device: DeviceName, place: Place | null, env: Environment): DeviceName {
  if (place === null || place.localSize === 1 || !device.startsWith('cuda')) return device
  if (device !== 'cuda') {
    throw new KogrpoError(
      'E_DEVICE',
      phrase(
        '{count} ranks of this machine cannot share {device}; --device cuda gives each its own',
        {
          count: place.localSize,
          device,
        },
      ),
    )
  }
  const shown = env.CUDA_VISIBLE_DEVICES
  const one = shown !== undefined && shown !== '' && !shown.includes(',')
  const own = one ? 'cuda:0' : DEVICES.find(name => name === `cuda:${place.localRank}`)
  if (own !== undefined) return own
  throw new KogrpoError(
    'E_DEVICE',
    phrase('{count} ranks of this machine: at most 8 GPUs of one machine are used', {
      count: place.localSize,
    }),
  )
}

/** The first of Slurm's node list: "gpu[03-06,9],login" → "gpu03". */
export function firstNode(list: string): string {
  const [, prefix, first] = /^([^[,]+)(?:\[([^\],-]+))?/.exec(list) ?? []
  return `${prefix ?? ''}${first ?? ''}`
}

function checked(place: Place): Place {
  if (place.size < 1 || place.rank >= place.size) {
    throw new KogrpoError(
      'E_RANKS',
      phrase('rank {rank} of {size} ranks cannot be', { rank: place.rank, size: place.size }),
    )
  }
  return place
}

function text(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') {
    throw new KogrpoError(
      'E_RANKS',
      phrase(
        '{name} is not set; a rank needs it (kogrpo launch, torchrun, srun and mpirun set it; for one process alone, unset RANK and WORLD_SIZE)',
        { name },
      ),
    )
  }
  return value
}

function whole(env: Environment, name: string): number {
  const value = text(env, name)
  if (!/^\d+$/.test(value)) {
    throw new KogrpoError(
      'E_RANKS',
      phrase('{name} is "{value}"; it must be a whole number', { name, value }),
    )
  }
  return Number(value)
}

function seconds(env: Environment, name: string, otherwise: number): number {
  const value = env[name]
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!(number >= LEAST_SECONDS && number <= MOST_SECONDS)) {
    throw new KogrpoError(
      'E_RANKS',
      phrase('{name} is "{value}"; it must be a number of seconds, from {least} to {most}', {
        ...{ name, value, least: LEAST_SECONDS, most: MOST_SECONDS },
      }),
    )
  }
  return number
}
