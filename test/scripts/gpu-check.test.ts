/** scripts/gpu-check keeps what it has measured, whatever happens to the rest: with programs that stand in for those it builds, on a machine without a GPU. */

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'kogrpo-gpu-check-'))
const build = join(folder, 'build')

function program(path: string, ...lines: string[]): void {
  writeFileSync(path, ['#!/bin/bash', ...lines, ''].join('\n'))
  chmodSync(path, 0o755)
}

beforeAll(() => {
  mkdirSync(build)
  mkdirSync(join(folder, 'bin'))
  program(
    join(folder, 'bin/nvidia-smi'),
    'case $1 in *compute_cap*) echo 9.0 ;; *) echo "A GPU" ;; esac',
  )
  program(
    join(build, 'tests'),
    '[ "$1" = --isolate=60 ] || exit 9',
    'echo "ok      sums"; echo "file.cpp:3: FAILED: 1 == 2"; echo "FAILED  a \\"quoted\\" case"; exit 1',
  )
  program(
    join(build, 'bench'),
    'case $1 in',
    '  --list) printf "ceilings\\nbroken\\nrows\\n" ;;',
    '  ceilings) printf \'{"name": "ceiling: %s", "value": %s, "unit": "x"}\\n\' copy 4300.00 product 790.00 ;;',
    '  broken) echo "{\\"name\\": \\"first\\", \\"value\\": -nan}"; printf "{\\"name\\": \\"torn\\", \\"va"; kill -SEGV $$ ;;',
    '  rows) echo; echo "{\\"name\\": \\"last\\", \\"given\\": \\"$2 $3\\"}" ;;',
    'esac',
  )
  program(
    join(build, 'engine'),
    '[ "$2" != ranks ] || exit 1',
    'echo "{\\"name\\": \\"$2\\", \\"layers\\": $4, \\"value\\": inf}"',
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the script on the programs of `directory`. */
function check(result: string, directory: string, parts: string) {
  return spawnSync('bash', [join(root, 'scripts/gpu-check'), result], {
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: join(folder, 'bin') + delimiter + process.env.PATH,
      KOGRPO_GPU_BUILD: directory,
      KOGRPO_GPU_PROGRAMS: '1',
      KOGRPO_GPU_PARTS: parts,
      KOGRPO_GPU_LAYERS: '3',
    },
  })
}

test('what failed, crashed or broke off costs no other result', () => {
  const result = join(folder, 'result.json')
  const run = check(result, build, 'tests times engine')
  expect(run.status, run.stderr).toBe(1)
  const json = JSON.parse(readFileSync(result, 'utf8')) as {
    [key: string]: unknown
    rows: { name: string; [key: string]: unknown }[]
  }
  expect(json).toMatchObject({
    device: 'A GPU',
    tests: '1 passed | 1 failed',
    tests_failed: ['a "quoted" case'],
    tests_status: 1,
    bench_status: 139,
    engine_status: 1,
    miniature_status: -1,
    sanitizer: 'left-out',
  })
  expect(json.rows.map(row => row.name)).toEqual([
    'ceiling: copy',
    'ceiling: product',
    'first',
    'last',
    'curve',
    'sampler-deterministic',
    'sampler',
    'growth',
    'large',
  ])
  expect(json.rows[2]?.value).toBeNull()
  expect(json.rows[3]?.given).toBe('4300.00 790.00')
  expect(json.rows[8]).toMatchObject({ layers: 3, value: null })
  expect(run.stderr).toContain('bench broken 4300.00 790.00 ended with 139')
})

test('the sanitizer that found something, or ran out of time, and benchmarks that cannot begin are failures', () => {
  const other = join(folder, 'other')
  mkdirSync(other)
  for (const name of ['tests', 'engine']) program(join(other, name), 'exit 0')
  program(join(other, 'bench'), 'exit 4')
  const result = join(folder, 'other.json')
  const sanitizer = join(folder, 'bin/compute-sanitizer')
  program(sanitizer, 'exit 0')
  expect(check(result, other, 'sanitizer').status).toBe(0)
  for (const status of [9, 124]) {
    program(sanitizer, `[ "$2" = memcheck ] || exit ${status}`)
    expect(check(result, other, 'sanitizer').status).toBe(1)
    expect(JSON.parse(readFileSync(result, 'utf8'))).toMatchObject({
      sanitizer: ` memcheck:0 racecheck:${status}`,
    })
  }
  expect(check(result, other, 'times').status).toBe(1)
  expect(JSON.parse(readFileSync(result, 'utf8'))).toMatchObject({ bench_status: 4 })
})

test('its test runner: a case that fails, crashes or ends the process leaves the others their turn', () => {
  const source = join(folder, 'cases.cpp')
  const runner = join(folder, 'cases')
  writeFileSync(
    source,
    `#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <stdexcept>
static int lost = 0;  // of the process, as a CUDA context is
TEST_CASE("good") { CHECK(lost == 0); }
TEST_CASE("fails" * doctest::skip(false)) { CAPTURE(lost); lost = 1; CHECK(lost == 0); }
TEST_CASE("behind" * doctest::skip()) {
  CHECK(lost == 0);
  CHECK_THROWS_AS(throw std::runtime_error("x"), std::runtime_error);
}
TEST_CASE("crashes") { raise(SIGSEGV); }
TEST_CASE("exits") { _exit(3); }
TEST_CASE("last") { CHECK(lost == 0); }
`,
  )
  const compiled = spawnSync(
    process.env.CXX_FOR_BUILD ?? 'g++',
    ['-std=c++20', `-I${join(root, 'test/native/minimal')}`, source, '-o', runner],
    { encoding: 'utf8' },
  )
  expect(compiled.status, compiled.stderr).toBe(0)
  const run = spawnSync(runner, ['--isolate=300'], { encoding: 'utf8' })
  expect(run.status).toBe(1)
  expect(run.stdout.split('\n').filter(line => /^(ok|FAILED) /.test(line))).toEqual([
    'ok      good',
    'FAILED  fails',
    'ok      behind',
    'FAILED  crashes',
    'FAILED  exits',
    'ok      last',
  ])
  expect(run.stdout).toContain('ended by signal 11')
  expect(run.stdout).toContain('[doctest] test cases: 6 | 3 passed | 3 failed | 0 skipped')
  const some = spawnSync(runner, ['-tce=fails*,cra*,ex*', '-tc=good*,l*,e*'], { encoding: 'utf8' })
  expect(some.stdout).toBe(
    'ok      good\nok      last\n[doctest] test cases: 2 | 2 passed | 0 failed | 4 skipped\n',
  )
})

// A word that is not there breaks the build on the GPU machine, and nowhere else.
test("its test runner has every word of doctest's that the tests use", () => {
  const minimal = readFileSync(join(root, 'test/native/minimal/doctest/doctest.h'), 'utf8')
  const native = join(root, 'test/native')
  const files = [
    ...readdirSync(join(native, 'cuda')).map(name => join('cuda', name)),
    ...readdirSync(native).filter(name => name.endsWith('.h')),
  ]
  const words = new Set(
    files.flatMap(
      name =>
        readFileSync(join(native, name), 'utf8').match(
          /\b(?:TEST_CASE|SUBCASE|(?:CHECK|REQUIRE|WARN|FAIL|INFO|CAPTURE|MESSAGE)[A-Z_]*)(?=\()|(?<=\bdoctest::)\w+/g,
        ) ?? [],
    ),
  )
  expect(words.size).toBeGreaterThan(8)
  for (const word of words)
    expect(minimal, word).toMatch(new RegExp(`(#define|struct|inline) ${word}\\b`))
})
