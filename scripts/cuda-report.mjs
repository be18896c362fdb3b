#!/usr/bin/env node
// What the compiler made of the CUDA kernels, without running them: registers, shared memory, stack
// and spills of every kernel from ptxas -v, and the matrix instructions in the machine code.
//
//   node scripts/cuda-report.mjs [--out FILE.json] [--arch sm_90a] [--only FILE.cu]…
//
// Fails when a kernel spills, or one of kMatrix holds no matrix instruction (the disassembler,
// cuobjdump, is looked for on the PATH and in $CUOBJDUMP; without it that check is reported as not
// made). Needs nvcc on the PATH or in $NVCC.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

const kHopper = /^(attention_forward_sm90|query_gradient|key_gradient)_kernel/

// Kernels that must run on the tensor core: HMMA is mma.sync, HGMMA wgmma; UTMALDG is a copy by the
// tensor memory accelerator. Hopper's kernels are empty in code for other architectures.
const kMatrix = [
  [kHopper, /\bHGMMA\./],
  [kHopper, /\bUTMALDG\./],
  [/^attention_(forward|backward_query|backward_key|decode)_kernel/, /\bHG?MMA\./],
  [/^multiply_kernel/, /\bHG?MMA\./],
]

/**
 * Registers and memory of each kernel in the output of `ptxas -v`; names as ptxas mangles them.
 * `serialized`: ptxas found that the kernel's wgmma instructions cannot run asynchronously.
 */
export function parseResources(log) {
  const kernels = []
  const serialized = new Set()
  for (const line of log.split('\n')) {
    const warned = /wgmma\.mma_async instructions are serialized .*function '([^']+)'/.exec(line)
    if (warned) serialized.add(warned[1])
    const entry = /Compiling entry function '([^']+)' for '([^']+)'/.exec(line)
    if (entry) kernels.push({ mangled: entry[1], arch: entry[2] })
    const kernel = kernels.at(-1)
    if (!kernel) continue
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    )
    if (stack) {
      const [stackBytes, stores, loads] = stack.slice(1).map(Number)
      Object.assign(kernel, { stackBytes, spillBytes: stores + loads })
    }
    const used = /Used (\d+) registers/.exec(line)
    if (used) kernel.registers = Number(used[1])
    const shared = /(\d+) bytes smem/.exec(line)
    if (shared) kernel.sharedBytes = Number(shared[1])
  }
  for (const kernel of kernels) if (serialized.has(kernel.mangled)) kernel.serialized = true
  return kernels
}

/** The function's own name in an Itanium-mangled one: the last identifier of its nested name. */
export function plainName(mangled) {
  let rest = mangled.replace(/^_ZN?/, '')
  let name = mangled
  for (let m = /^(\d+)/.exec(rest); m; m = /^(\d+)/.exec(rest)) {
    const length = Number(m[1])
    name = rest.slice(m[1].length, m[1].length + length)
    rest = rest.slice(m[1].length + length)
  }
  return name
}

/** Machine code of each function in the output of `cuobjdump --dump-sass`, by mangled name. */
export function parseSass(text) {
  const code = new Map()
  for (const part of text.split(/^\s*Function : /m).slice(1)) {
    const end = part.indexOf('\n')
    code.set(part.slice(0, end).trim(), part.slice(end))
  }
  return code
}

/**
 * What is wrong with the kernels: spills, matrix kernels without matrix instructions, figures that are not
 * there, or no kernels at all.
 */
export function findProblems(kernels, sass) {
  const problems = kernels.length === 0 ? ['no kernel was compiled'] : []
  for (const kernel of kernels) {
    const name = plainName(kernel.mangled)
    if (kernel.spillBytes === undefined)
      problems.push(`${name}: ptxas said nothing of its spills (${kernel.mangled})`)
    if (kernel.spillBytes > 0)
      problems.push(`${name} spills ${kernel.spillBytes} bytes (${kernel.mangled})`)
    if (kernel.serialized)
      problems.push(`${name} waits for each of its products (${kernel.mangled})`)
    const code = sass?.get(kernel.mangled)
    for (const [which, instruction] of kMatrix) {
      if (which === kHopper && kernel.arch !== 'sm_90a') continue
      if (code !== undefined && which.test(name) && !instruction.test(code)) {
        const what = instruction.source.includes('UTMALDG') ? 'tensor copy' : 'matrix instruction'
        problems.push(`${name} has no ${what} (${kernel.mangled})`)
      }
    }
  }
  return problems
}

async function main() {
  const { out, arch, only } = parseArgs({
    options: {
      out: { type: 'string' },
      arch: { type: 'string', default: 'sm_90a' },
      only: { type: 'string', multiple: true, default: [] },
    },
  }).values
  const nvcc = process.env.NVCC ?? 'nvcc'
  const cuobjdump = process.env.CUOBJDUMP ?? 'cuobjdump'
  const root = fileURLToPath(new URL('..', import.meta.url))
  const sources = readFileSync(join(root, 'native/sources.txt'), 'utf8')
    .split('\n')
    .map(line => line.split(/\s+/))
    .filter(([group, path]) => group === 'cuda' && path.endsWith('.cu'))
    .map(([, path]) => path)
    .filter(path => only.length === 0 || only.includes(basename(path)))
  const absent = only.filter(name => !sources.some(path => basename(path) === name))
  if (absent.length > 0) throw new Error(`native/sources.txt has no ${absent.join(', ')}`)
  const folder = mkdtempSync(join(tmpdir(), 'cuda-report-'))
  const run = async (command, args) => {
    const { stdout, stderr } = await promisify(execFile)(command, args, { maxBuffer: 1 << 30 })
    return { stdout, stderr }
  }
  // Machine code alone (-cubin): the host's half of a .cu is compiled by the other builds.
  const compile = async path => {
    const cubin = join(folder, `${basename(path)}.cubin`)
    const flags = ['-std=c++20', '-O3', '-fmad=false', '--expt-relaxed-constexpr', '-Xptxas=-v']
    const target = ['-cubin', `-gencode=arch=compute_${arch.slice(3)},code=${arch}`]
    const files = [`-I${join(root, 'native')}`, join(root, path), '-o', cubin]
    const { stdout, stderr } = await run(nvcc, [...flags, ...target, ...files])
    const kernels = parseResources(stdout + stderr).map(k => ({ file: basename(path), ...k }))
    try {
      return { kernels, sass: parseSass((await run(cuobjdump, ['--dump-sass', cubin])).stdout) }
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
      return { kernels }
    }
  }
  // As many at a time as there are processors; the results in the order of the sources.
  const results = new Array(sources.length)
  let next = 0
  const work = async () => {
    while (next < sources.length) {
      const i = next++
      results[i] = await compile(sources[i])
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: availableParallelism() }, work))
  rmSync(folder, { recursive: true }) // when nobody writes there any more
  for (const { reason } of workers) if (reason !== undefined) throw reason
  const kernels = results.flatMap(r => r.kernels)
  const sass = results.every(r => r.sass) ? new Map(results.flatMap(r => [...r.sass])) : undefined
  const problems = findProblems(kernels, sass)
  const rows = kernels.map(k => ({
    file: k.file,
    kernel: plainName(k.mangled),
    mangled: k.mangled,
    registers: k.registers,
    sharedBytes: k.sharedBytes ?? 0,
    stackBytes: k.stackBytes,
    spillBytes: k.spillBytes,
    matrix: sass
      ? [...new Set((sass.get(k.mangled) ?? '').match(/\bHG?MMA\b/g) ?? [])].join(' ')
      : null,
  }))
  for (const r of rows)
    console.log(
      `${r.file.padEnd(24)} ${r.kernel.padEnd(34)} ${String(r.registers).padStart(4)} registers ${String(r.sharedBytes).padStart(6)} B shared ${String(r.spillBytes).padStart(4)} B spilled ${r.matrix ?? ''}`,
    )
  if (!sass)
    console.log('cuobjdump was not found: the machine code was not looked at (set CUOBJDUMP)')
  if (out)
    writeFileSync(
      out,
      `${JSON.stringify({ arch, sass: sass !== undefined, kernels: rows }, null, 1)}\n`,
    )
  for (const problem of problems) console.error(problem)
  console.log(`${rows.length} kernels for ${arch}, ${problems.length} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
