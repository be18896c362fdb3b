/**
 * Memory that this process may use: the machine's, or what its control groups leave of it. Page cache
 * counts as free, which Node's process.availableMemory() does not do within a group.
 * Sources: proc(5); cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of
 * the Linux kernel.
 */
import { readFileSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'

/** In bytes. */
interface Memory {
  total: number
  available: number
  /** Whether a control group sets the total. */
  limited: boolean
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/** A number in kernel files: `max` and v1's huge value mean no limit. */
function bytes(text: string | null): number {
  const value = Number(text?.trim() || Number.NaN)
  return value < 2 ** 60 ? value : Number.POSITIVE_INFINITY
}

/** Bytes of the key in a table of `key value` lines; 0 without it. */
function entry(table: string | null, key: string): number {
  const found = new RegExp(`^${key}:?\\s+(\\d+)`, 'm').exec(table ?? '')
  return found ? Number(found[1]) : 0
}

interface Hierarchy {
  mount: string
  limit: string
  usage: string
  cache: readonly string[]
}

const V2: Hierarchy = {
  mount: 'sys/fs/cgroup',
  limit: 'memory.max',
  usage: 'memory.current',
  cache: ['inactive_file', 'active_file'],
}
const V1: Hierarchy = {
  mount: 'sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  cache: ['total_inactive_file', 'total_active_file'],
}

/** The process's own group in each hierarchy that limits memory. */
function groups(root: string): { hierarchy: Hierarchy; path: string }[] {
  const lines = (read(join(root, 'proc/self/cgroup')) ?? '').split('\n')
  return lines.flatMap(line => {
    const [id, controllers, ...rest] = line.split(':')
    const path = rest.join(':')
    if (id === '0' && controllers === '') return [{ hierarchy: V2, path }]
    return controllers?.split(',').includes('memory') ? [{ hierarchy: V1, path }] : []
  })
}

/** What the group and those above it allow; a group seen from inside a container is the root. */
function groupMemory(root: string): Omit<Memory, 'limited'> {
  let [total, available] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (const { hierarchy, path } of groups(root)) {
    for (let group = join('/', path); ; group = dirname(group)) {
      const directory = join(root, hierarchy.mount, group)
      const limit = bytes(read(join(directory, hierarchy.limit)))
      const usage = bytes(read(join(directory, hierarchy.usage)))
      if (Number.isFinite(limit) && Number.isFinite(usage)) {
        const stat = read(join(directory, 'memory.stat'))
        const cache = hierarchy.cache.reduce((sum, key) => sum + entry(stat, key), 0)
        total = Math.min(total, limit)
        available = Math.min(available, limit - Math.max(0, usage - cache))
      }
      if (group === '/') break
    }
  }
  return { total, available }
}

/** Total and available memory. `root` is the file system's, for tests. */
export function readMemory(root = '/'): Memory {
  const table = read(join(root, 'proc/meminfo'))
  const machineTotal = entry(table, 'MemTotal') * 1024 || totalmem()
  const machineFree = entry(table, 'MemAvailable') * 1024 || freemem()
  const group = groupMemory(root)
  return {
    total: Math.min(machineTotal, group.total),
    available: Math.max(0, Math.min(machineFree, group.available)),
    limited: group.total < machineTotal,
  }
}
