import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const compiled = existsSync(`${root}dist/recipe.schema.json`)

/** The files that `npm pack` would put into the tarball. */
function packed(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  // npm 10 and 11 print a list of packages, later ones an object of them.
  const [entry] = Object.values(JSON.parse(output) as Record<string, { files: { path: string }[] }>)
  return entry!.files.map(file => file.path)
}

describe.skipIf(!compiled)(`npm pack${compiled ? '' : ' (skipped: not compiled)'}`, () => {
  const files = packed()

  it('holds all that an install from the tarball builds and runs', () => {
    const sources = readFileSync(`${root}native/sources.txt`, 'utf8')
      .split('\n')
      .filter(line => /^(core|isa-\S+|no-cuda|addon) /.test(line))
      .map(line => line.split(/\s+/)[1])
    expect(sources.length).toBeGreaterThan(10)
    expect(files).toEqual(
      expect.arrayContaining([
        ...sources,
        'package.json',
        'binding.gyp',
        'scripts/install.mjs',
        'scripts/native-sources.mjs',
        'native/sources.txt',
        'bin/kogrpo.mjs',
        'dist/cli/main.js',
        'dist/index.js',
        'dist/recipe.schema.json',
        'dist/index.d.ts',
        'recipes/mini.yaml',
        'assets/mini/config.json',
        'assets/mini/tokenizer.json',
        'assets/mini/model.safetensors',
        'README.md',
        'LICENSE',
      ]),
    )
  })

  it('holds nothing else', () => {
    const known =
      /^(bin\/|dist\/|native\/|cmake\/|recipes\/|assets\/|bench\/geometry-|scripts\/(install|native-sources)\.mjs$|(package\.json|binding\.gyp|CMakeLists\.txt|README(\.ko)?\.md|LICENSE|NOTICE)$)/
    expect(files.filter(file => !known.test(file))).toEqual([])
  })
})
