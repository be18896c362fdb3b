/** One reader for as many cases as `npm run fuzz` asks for (scripts/fuzz.mjs). */
import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'vitest'
import { fuzz } from './harness.ts'
import { TARGETS } from './targets.ts'

const {
  KOGRPO_FUZZ_TARGET: name,
  KOGRPO_FUZZ_CASES: cases,
  KOGRPO_FUZZ_SEED: seed,
  KOGRPO_FUZZ_FIGURES: file,
} = process.env
const target = TARGETS.find(candidate => candidate.name === name)

test(`${name}: ${cases} cases of seed ${seed}`, { timeout: 0 }, async () => {
  const figures = await fuzz(target!, {
    cases: Number(cases),
    seed: Number(seed),
    directory: dirname(file!),
  })
  writeFileSync(file!, JSON.stringify(figures))
})
