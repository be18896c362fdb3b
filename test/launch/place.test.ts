import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../lib/launch/launch.ts'
import { deviceOf, firstNode, placeOf } from '../../lib/launch/place.ts'

const waits = { patience: 20, limit: 1800 }

describe('the place of a process', () => {
  it('is none without a launcher, nor in a batch script of Slurm', () => {
    expect(placeOf({})).toBeNull()
    expect(placeOf({ SLURM_PROCID: '0', SLURM_NTASKS: '8', SLURM_JOB_ID: '7' })).toBeNull()
  })

  it('by kogrpo launch: the launcher serves the store', () => {
    const env = { RANK: '3', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2' }
    const at = { MASTER_ADDR: 'a', MASTER_PORT: '5000', KOGRPO_LAUNCH: 'attempt-1' }
    expect(placeOf({ ...env, ...at, KOGRPO_RANK_TIMEOUT: '3' })).toEqual({
      ...{ rank: 3, size: 8, localSize: 2, host: 'a', port: 5000, run: 'attempt-1' },
      ...{ localRank: 1, serves: false, ...waits, patience: 3 },
    })
  })

  it('by torchrun: rank 0 serves, beside the port of the agent', () => {
    const env = { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '5000' }
    const agent = { TORCHELASTIC_RUN_ID: 'x', TORCHELASTIC_RESTART_COUNT: '2' }
    expect(placeOf({ ...env, ...agent })).toMatchObject({ port: 5001, run: 'x-2', serves: true })
    expect(placeOf({ ...env, RANK: '1' })).toMatchObject({ port: 5000, serves: false })
  })

  it('by srun, with the first node of the list and a port of the job', () => {
    const env = {
      ...{ SLURM_STEP_ID: '0', SLURM_NTASKS: '16', SLURM_PROCID: '9', SLURM_JOB_ID: '12345' },
      ...{ SLURM_STEP_NODELIST: 'gpu[03-04]', SLURM_STEP_TASKS_PER_NODE: '8(x2)' },
      SLURM_LOCALID: '1',
    }
    expect(placeOf(env)).toEqual({
      ...{ rank: 9, size: 16, localSize: 8, host: 'gpu03', port: 20_345, run: '12345.0' },
      ...{ localRank: 1, serves: false, ...waits },
    })
    expect(['n7', 'n1,n2', 'gpu[3,5-9],login'].map(firstNode)).toEqual(['n7', 'n1', 'gpu3'])
  })

  it('by mpirun; over machines it must be told where rank 0 is', () => {
    const env = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '4' }
    expect(placeOf({ ...env, OMPI_COMM_WORLD_LOCAL_SIZE: '4' })).toMatchObject({
      ...{ rank: 1, size: 4, localSize: 4, host: '127.0.0.1' },
    })
    expect(() => placeOf({ ...env, OMPI_COMM_WORLD_LOCAL_SIZE: '2' })).toThrow('-x MASTER_ADDR')
  })

  it('refuses half an environment by name', () => {
    expect(() => placeOf({ RANK: '0' })).toThrow('WORLD_SIZE is not set')
    const env = { RANK: '2', WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '5000' }
    expect(() => placeOf(env)).toThrow('rank 2 of 2 ranks cannot be')
    expect(() => placeOf({ ...env, RANK: 'x' })).toThrow('RANK is "x"')
    for (const name of ['KOGRPO_RANK_TIMEOUT', 'KOGRPO_RANK_LIMIT']) {
      for (const value of ['-1', '0', '1e-9', 'soon', '2147484', '1e300', 'Infinity']) {
        expect(() => placeOf({ [name]: value })).toThrow(
          `${name} is "${value}"; it must be a number of seconds, from 0.001 to 2000000`,
        )
      }
      expect(placeOf({ [name]: '2000000' })).toBeNull()
    }
  })

  it('gives each rank of a machine the GPU of its number there', () => {
    const four = { LOCAL_RANK: '2', LOCAL_WORLD_SIZE: '4', RANK: '6', WORLD_SIZE: '8' }
    const place = placeOf({ ...four, MASTER_ADDR: 'a', MASTER_PORT: '5000' })!
    expect(deviceOf('cuda', place, {})).toBe('cuda:2')
    expect(deviceOf('cuda', place, { CUDA_VISIBLE_DEVICES: '0,1,2,3' })).toBe('cuda:2')
    expect(deviceOf('cuda', place, { CUDA_VISIBLE_DEVICES: '5' })).toBe('cuda:0')
    expect(deviceOf('cpu', place, {})).toBe('cpu')
    expect(deviceOf('cuda', null, {})).toBe('cuda')
    expect(deviceOf('cuda:3', { ...place, localSize: 1 }, {})).toBe('cuda:3')
    expect(() => deviceOf('cuda:3', place, {})).toThrow('4 ranks of this machine cannot share')
  })

  it('endpoints are host:port', () => {
    expect(parseEndpoint('node0:29500')).toEqual({ host: 'node0', port: 29500 })
    expect(parseEndpoint('[fe80::1]:29500')).toEqual({ host: 'fe80::1', port: 29500 })
    expect(() => parseEndpoint('node0')).toThrow('host:port')
  })
})
