/**
 * Three nodes: network namespaces with addresses of their own, joined by a bridge. One rank a node by
 * kogrpo launch; then a node is killed, frozen, or cut off. Needs root and the right to make network
 * namespaces; left out with a message elsewhere.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isTimingKey } from '../../lib/report/events.ts'
import { tinyModelDirectory } from '../train/tiny.ts'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const NODES = 3
const prefix = `kg${process.pid}`
const hub = `${prefix}-hub`
const node = (i: number): string => `${prefix}-${i}`

const ip = (...args: string[]): string => execFileSync('ip', args, { stdio: 'pipe' }).toString()

function absent(): string | null {
  if (!existsSync(MAIN)) return 'no compiled TypeScript'
  if (!existsSync('/usr/include/gloo/allreduce.h')) return 'no Gloo (libgloo-dev)'
  try {
    ip('netns', 'add', hub)
    ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge')
    ip('netns', 'del', hub)
    return null
  } catch {
    return 'network namespaces are not permitted here'
  }
}

const why = absent()
const directory = mkdtempSync(join(tmpdir(), 'kogrpo-netns-'))
let recipe: string
let port = 29_500

function setUp(): void {
  ip('netns', 'add', hub)
  ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', hub, 'link', 'set', 'br0', 'up')
  for (let i = 0; i < NODES; i++) {
    ip('netns', 'add', node(i))
    ip('-n', hub, 'link', 'add', `v${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node(i))
    ip('-n', hub, 'link', 'set', `v${i}`, 'master', 'br0', 'up')
    ip('-n', node(i), 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0')
    ip('-n', node(i), 'link', 'set', 'eth0', 'up')
    ip('-n', node(i), 'link', 'set', 'lo', 'up')
  }
}

beforeAll(async () => {
  if (why !== null) return
  setUp()
  recipe = join(directory, 'recipe.json')
  const content = {
    ...{ seed: 5, threads: 1, shard: 'optimizer' },
    model: { path: await tinyModelDirectory(), init: 'random' },
    sft: {
      ...{ data: [{ path: 'mini:sft', size: 100 }], max_steps: 8, save_steps: 1 },
      ...{ per_device_train_batch_size: 1, gradient_accumulation_steps: 3, max_length: 256 },
    },
  }
  writeFileSync(recipe, JSON.stringify(content))
})

afterAll(() => {
  if (why === null) for (const name of [0, 1, 2].map(node).concat(hub)) ip('netns', 'del', name)
  rmSync(directory, { recursive: true, force: true })
})

interface Node {
  child: ChildProcess
  text(): string
  end: Promise<number | null>
}

/** Processes of a node: its launcher, then its rank. */
function pids({ child }: Node): number[] {
  const of = (parent: number): number[] => {
    try {
      const list = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)]).toString()
      return list.trim().split(/\s+/).map(Number)
    } catch {
      return []
    }
  }
  return [child.pid!, ...of(child.pid!)]
}

/** Starts a run on all nodes and waits until rank 0 has printed `until`. */
async function start(
  name: string,
  until: string,
  options: string[],
  more: string[] = [],
): Promise<Node[]> {
  port++
  const nodes = Array.from({ length: NODES }, (_, i): Node => {
    const launch = [
      ...['launch', '--nproc-per-node', '1', '--nnodes', String(NODES), '--node-rank', String(i)],
      ...['--rdzv-endpoint', `10.77.0.1:${port}`, '--log-dir', join(directory, `${name}-logs`)],
      ...options,
    ]
    const train = ['train', recipe, '--output-dir', join(directory, name), ...more]
    const args = ['netns', 'exec', node(i), process.execPath, MAIN, ...launch, ...train]
    const child = spawn('ip', args, {
      env: { ...process.env, KOGRPO_RANK_TIMEOUT: '4' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        text += String(chunk)
      })
    }
    return { child, text: () => text, end: new Promise(r => child.once('close', r)) }
  })
  while (!nodes[0]!.text().includes(until)) {
    if (nodes[0]!.child.exitCode !== null) throw new Error(nodes.map(n => n.text()).join('\n'))
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return nodes
}

const FOREVER = ['--sft.max_steps', '100000']

describe.skipIf(why !== null)(`three nodes${why === null ? '' : ` (skipped: ${why})`}`, () => {
  it('a node that is killed is named by the others, which end within 60 s', async () => {
    const nodes = await start('killed', 'sft 2/', [], FOREVER)
    for (const pid of pids(nodes[2]!)) process.kill(pid, 'SIGKILL')
    const started = performance.now()
    const codes = await Promise.all(nodes.map(({ end }) => end))
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(codes.slice(0, 2)).toEqual([1, 1])
    for (const { text } of nodes.slice(0, 2))
      expect(text()).toMatch(/rank 2 is dead: its connection/)
  })

  it('a node that is frozen is named', async () => {
    const nodes = await start('frozen', 'sft 2/', [], FOREVER)
    const frozen = pids(nodes[1]!)
    for (const pid of frozen) process.kill(pid, 'SIGSTOP')
    const started = performance.now()
    const codes = await Promise.all([nodes[0]!.end, nodes[2]!.end])
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(codes).toEqual([1, 1])
    for (const i of [0, 2])
      expect(nodes[i]!.text()).toMatch(/rank 1 is silent for .* frozen, or cut off/)
    for (const pid of frozen) process.kill(pid, 'SIGKILL')
  })

  it('a node that is cut off is named, and knows it', async () => {
    const nodes = await start('cut', 'sft 2/', [], FOREVER)
    ip('-n', node(2), 'link', 'set', 'eth0', 'down')
    const started = performance.now()
    const codes = await Promise.all(nodes.map(({ end }) => end))
    ip('-n', node(2), 'link', 'set', 'eth0', 'up')
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(codes).toEqual([1, 1, 1])
    for (const { text } of nodes.slice(0, 2)) expect(text()).toMatch(/rank 2 is silent for/)
    expect(nodes[2]!.text()).toMatch(/the rendezvous store at 10\.77\.0\.1:\d+ is lost/)
  })

  it('with --max-restarts 1 the run ends as one that nothing happened to', async () => {
    const whole = await start('whole', 'sft 1/8', [])
    expect(await Promise.all(whole.map(({ end }) => end))).toEqual([0, 0, 0])
    const nodes = await start('restarted', 'sft 3/8', ['--max-restarts', '1'])
    process.kill(pids(nodes[1]!)[1]!, 'SIGKILL')
    expect(await Promise.all(nodes.map(({ end }) => end))).toEqual([0, 0, 0])
    expect(nodes[1]!.text()).toContain('starting again (restart 1 of 1)')
    const metrics = (name: string): object[] =>
      readFileSync(join(directory, name, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map(line =>
          Object.fromEntries(Object.entries(JSON.parse(line)).filter(([key]) => !isTimingKey(key))),
        )
    expect(metrics('restarted')).toEqual(metrics('whole'))
    const weights = (name: string): Buffer =>
      readFileSync(join(directory, name, 'sft', 'model.safetensors'))
    expect(weights('restarted').equals(weights('whole'))).toBe(true)
  })
})
