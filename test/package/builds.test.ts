import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const path = (relative: string): string =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const builds = {
  'node-gyp': path('build/Release/kogrpo.node'),
  'cmake-js': path('build-cmake/Release/kogrpo.node'),
}
const absent = Object.entries({ ...builds, 'compiled TypeScript': path('dist/engine/engine.js') })
  .filter(([, file]) => !existsSync(file))
  .map(([name]) => name)
const skipped = absent.length > 0 ? ` (skipped: no ${absent.join(', no ')})` : ''

const fingerprint = (addon: string): string =>
  execFileSync(process.execPath, [path('test/package/fingerprint.mjs')], {
    env: { ...process.env, KOGRPO_NATIVE: addon },
    encoding: 'utf8',
  })

describe('the two builds of the addon', () => {
  it.skipIf(skipped !== '')(`load and compute the same bits${skipped}`, () => {
    const lines = fingerprint(builds['node-gyp'])
    expect(lines.trim().split('\n')).toHaveLength(5)
    expect(fingerprint(builds['cmake-js'])).toBe(lines)
  })
})
