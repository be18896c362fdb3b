// node bench/saving.mjs [GEOMETRY] [DIRECTORY]: what saving a model costs a training: seconds of the copy that it
// waits for, and of the writing beside it. A JSON line for each dtype; GEOMETRY is a config.json (default: Qwen3-0.6B's).
// Needs the compiled program (npm run build:ts) and room for the weights twice in memory and once on the disk.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFlushed } from '../dist/durable/files.js'
import { Engine } from '../dist/engine/engine.js'
import { parseModelConfig } from '../dist/model/config.js'

const [geometry = new URL('geometry-qwen3-0.6b.json', import.meta.url), place = tmpdir()] =
  process.argv.slice(2)
const config = parseModelConfig(JSON.parse(readFileSync(geometry, 'utf8')))
const directory = mkdtempSync(join(place, 'kogrpo-saving-'))
const since = start => Number(((performance.now() - start) / 1000).toFixed(3))

const engine = await Engine.create({ config, init: { seed: 1, std: 0.02 } })
try {
  for (const dtype of ['F32', 'BF16']) {
    for (let round = 1; round <= 3; round++) {
      const started = performance.now()
      const snapshot = await engine.snapshotWeights(dtype)
      const copy_s = since(started)
      const writing = performance.now()
      const { bytes } = await writeFlushed(join(directory, `${dtype}-${round}`), snapshot.blocks)
      const write_s = since(writing)
      snapshot.release()
      rmSync(join(directory, `${dtype}-${round}`))
      const waited = Number((copy_s / (copy_s + write_s)).toFixed(3))
      console.log(
        JSON.stringify({ dtype, round, bytes, copy_s, write_s, share_waited_for: waited }),
      )
    }
  }
} finally {
  await engine.dispose()
  rmSync(directory, { recursive: true, force: true })
}
