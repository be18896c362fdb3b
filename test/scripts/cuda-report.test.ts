import { expect, test } from 'vitest'
import { findProblems, parseResources, parseSass, plainName } from '../../scripts/cuda-report.mjs'

const kForward =
  '_ZN6kogrpo4cuda47_GLOBAL__N__a7_20_attention_forward_cu_e924_1724attention_forward_kernelILi128EEEvv'
const kNorm = '_ZN6kogrpo4cuda12_GLOBAL__N_114rmsnorm_kernelIfEEvv'

const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '${kForward}' for 'sm_90a'
ptxas info    : Function properties for ${kForward}
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 165 registers, used 1 barriers
ptxas info    : Compile time = 1 ms
ptxas info    : Compiling entry function '${kNorm}' for 'sm_90a'
ptxas info    : Function properties for ${kNorm}
    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 32 bytes smem
`

test('registers, shared memory, stack and spills of every kernel', () => {
  expect(parseResources(log)).toEqual([
    { mangled: kForward, arch: 'sm_90a', stackBytes: 0, spillBytes: 0, registers: 165 },
    {
      mangled: kNorm,
      arch: 'sm_90a',
      stackBytes: 16,
      spillBytes: 32,
      registers: 32,
      sharedBytes: 32,
    },
  ])
})

test('a mangled name is read to the function', () => {
  expect(plainName(kNorm)).toBe('rmsnorm_kernel')
  expect(plainName('main')).toBe('main')
})

test('spills, and matrix kernels without matrix instructions, are problems', () => {
  const name = '_ZN6kogrpo24attention_forward_kernelILi128EEEvv'
  const kernels = [
    { mangled: name, spillBytes: 0 },
    { mangled: kNorm, spillBytes: 32 },
  ]
  const sass = (instruction: string): Map<string, string> =>
    parseSass(`\t\tFunction : ${name}\n\t/*0010*/ ${instruction} R1, R2 ;\n`)
  expect(findProblems(kernels, sass('HMMA.16816.F32.BF16'))).toEqual([
    `rmsnorm_kernel spills 32 bytes (${kNorm})`,
  ])
  expect(findProblems(kernels, sass('FFMA'))).toEqual([
    `attention_forward_kernel has no matrix instruction (${name})`,
    `rmsnorm_kernel spills 32 bytes (${kNorm})`,
  ])
  expect(findProblems(kernels.slice(0, 1), undefined)).toEqual([])
  const silent = parseResources(log.replaceAll(/spill stores/g, 'stores'))
  expect(findProblems(silent.slice(1), undefined)).toEqual([
    `rmsnorm_kernel: ptxas said nothing of its spills (${kNorm})`,
  ])
  expect(findProblems(parseResources('nvcc: nothing'), undefined)).toEqual([
    'no kernel was compiled',
  ])
})

test("Hopper's kernels: wgmma that does not wait, fed by tensor copies, on sm_90a only", () => {
  const name = '_ZN6kogrpo4cuda19key_gradient_kernelEv'
  const text = `ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources for the wgmma pipeline in the function '${name}'
ptxas info    : Compiling entry function '${name}' for 'sm_90a'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
`
  const kernels = parseResources(text)
  expect(kernels[0]?.serialized).toBe(true)
  const kernel = { mangled: name, arch: 'sm_90a', spillBytes: 0 }
  const sass = (code: string): Map<string, string> => parseSass(`\t\tFunction : ${name}\n${code}\n`)
  const both = sass('HGMMA.64x128x16.F32.BF16 R1 ;\n UTMALDG.2D [UR4], [UR6] ;')
  expect(findProblems([kernel], both)).toEqual([])
  expect(findProblems([{ ...kernel, serialized: true }], both)).toEqual([
    `${plainName(name)} waits for each of its products (${name})`,
  ])
  expect(findProblems([kernel], sass('HMMA.16816 R1 ;'))).toEqual([
    `${plainName(name)} has no matrix instruction (${name})`,
    `${plainName(name)} has no tensor copy (${name})`,
  ])
  expect(findProblems([{ ...kernel, arch: 'sm_80' }], sass('EXIT ;'))).toEqual([])
})
