/**
 * Tries the native addon in a process of its own, so that one that crashes (an instruction this
 * processor does not have, a library that does not fit) is a finding and not the end of the command.
 * The trial loads it and runs a tiny model forward.
 */
import { execFile } from 'node:child_process'
import type { CudaStatus } from '../engine/device.ts'

interface Probed {
  instructionSets: string[]
  threads: number
  isa: string
  cuda: CudaStatus
}

export type AddonProbe =
  | ({ ok: true; path: string } & Probed)
  | { ok: false; path: string; problem: string }

const TIMEOUT_MS = 60_000

/** Runs in the child: argv[1] is the addon's path. Prints one JSON object. */
const TRIAL = `
const addon = require(process.argv[1])
const config = { vocabSize: 64, hiddenSize: 32, intermediateSize: 32, numLayers: 1, numHeads: 2,
  numKvHeads: 1, headDim: 16, rmsNormEps: 1e-6, ropeTheta: 10000, tieWordEmbeddings: true }
;(async () => {
  const engine = new addon.NativeEngine()
  const { isa } = await engine.open(config, { threads: 2 })
  await engine.initialize({ seed: 1, std: 0.02 })
  const tokens = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 64)
  const { logprobs } = await engine.forward({ tokens, cuSeqlens: Int32Array.of(0, 40) })
  await engine.close()
  const odd = logprobs.subarray(1).some(x => !(x < 0))
  if (odd) throw new Error('a tiny model gives log-probabilities that are none: ' + logprobs)
  console.log(JSON.stringify({ ...addon.machine(), isa, cuda: addon.cuda() }))
})().catch(error => {
  console.error(error.message)
  process.exit(1)
})
`

/** What is to be known of the addon at `path`, which exists. */
export function probeAddon(path: string): Promise<AddonProbe> {
  return new Promise(done => {
    const failed = (problem: string): void => done({ ok: false, path, problem })
    const options = { timeout: TIMEOUT_MS, env: { ...process.env, NODE_OPTIONS: '' } }
    execFile(process.execPath, ['-e', TRIAL, path], options, (error, stdout, stderr) => {
      if (error?.killed) failed(`did not answer within ${TIMEOUT_MS / 1000} s`)
      else if (error?.signal) failed(`crashed with ${error.signal}`)
      else if (error) {
        const lines = stderr.trim().split('\n')
        failed(lines.find(line => /Error: /.test(line)) ?? lines.at(-1) ?? error.message)
      } else {
        try {
          done({ ok: true, path, ...(JSON.parse(stdout) as Probed) })
        } catch {
          failed('loads, but is not the addon of this package')
        }
      }
    })
  })
}
