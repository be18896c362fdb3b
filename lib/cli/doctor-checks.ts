/**
 * What `kogrpo doctor` looks at. Each check names one thing that training needs, or that is nice to
 * have: `fail` means that training cannot run, `warn` that something will be slow or cannot be done.
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { CudaStatus } from '../engine/device.ts'
import { addonPaths, buildCommand } from '../engine/native.ts'
import { joined, Phrase, phrase, verbatim } from '../messages/phrase.ts'
import { modelPath } from '../train/sources.ts'
import { type AddonProbe, probeAddon } from './addon-probe.ts'
import { readMemory } from './memory.ts'
import { nodeProblem } from './node-version.ts'
import { packageInfo } from './package-info.ts'

export interface Check {
  name: string
  status: 'ok' | 'warn' | 'fail'
  message: Phrase
  /** What to do about it; absent when all is well. */
  remedy?: Phrase
  /** The figures, for programs. */
  details?: Record<string, unknown>
}

const MIB = 2 ** 20
const GIB = 2 ** 30
/** The miniature trains within this; anything real needs more. */
const LEAST_MEMORY = 512 * MIB
const LITTLE_MEMORY = 2 * GIB
/** A run of the miniature writes about this much. */
const LEAST_DISK = 100 * MIB
const LITTLE_DISK = 5 * GIB

const COMPILER_REMEDY = phrase(
  'Debian, Ubuntu: sudo apt-get install -y g++ make python3; Fedora: sudo dnf install -y gcc-c++ make python3; macOS: xcode-select --install',
)

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

function checkNode(): Check {
  const { node } = packageInfo()
  const problem = nodeProblem(process.version, node)
  return {
    name: 'node',
    status: problem === null ? 'ok' : 'fail',
    message: phrase('Node {version} ({node} is needed)', { version: process.version, node }),
    ...(problem === null
      ? {}
      : {
          remedy: new Phrase(
            dictionary => nodeProblem(process.version, node, dictionary !== null) ?? '',
          ),
        }),
    details: { version: process.version, needed: node },
  }
}

function checkPlatform(): Check {
  const { platform, arch } = process
  const known = platform === 'linux' || platform === 'darwin'
  const message = verbatim(`${platform}-${arch}`)
  const details = { platform, arch }
  if (known) return { name: 'platform', status: 'ok', message, details }
  const remedy = phrase('use Linux or macOS; on Windows, WSL')
  return {
    name: 'platform',
    status: 'fail',
    message: phrase('{message} is not supported', { message }),
    remedy,
    details,
  }
}

async function findAddon(): Promise<{ probe: AddonProbe | null; tried: string[] }> {
  const tried: string[] = []
  for (const path of addonPaths()) {
    if (!existsSync(path)) {
      tried.push(`${path}: not there`)
      continue
    }
    const probe = await probeAddon(path)
    if (probe.ok) return { probe, tried }
    tried.push(`${path}: ${probe.problem}`)
    // loadNative() would go on to the next one too, unless this one ends the process.
    if (probe.problem.startsWith('crashed')) break
  }
  return { probe: null, tried }
}

function checkAddon({ probe, tried }: Awaited<ReturnType<typeof findAddon>>): Check[] {
  if (!probe?.ok) {
    const message = phrase('the native addon does not run: {tried}', { tried: tried.join('; ') })
    const remedy = process.env.KOGRPO_NATIVE
      ? phrase('unset KOGRPO_NATIVE, or build it')
      : phrase('build it: {command}', { command: buildCommand() })
    return [{ name: 'addon', status: 'fail', message, remedy, details: { tried } }]
  }
  const { path, instructionSets, isa, threads } = probe
  const simd = isa !== 'scalar'
  return [
    { name: 'addon', status: 'ok', message: phrase('{path} runs', { path }), details: { path } },
    {
      name: 'instructions',
      status: simd ? 'ok' : 'warn',
      message: phrase('computes with {isa} (this processor and build: {sets})', {
        isa,
        sets: instructionSets.join(', '),
      }),
      ...(simd ? {} : { remedy: phrase('a processor with AVX2 or NEON is many times faster') }),
      details: { isa, instructionSets },
    },
    checkThreads(threads),
  ]
}

/** CPUs' worth of time that a control group (v2) grants, or infinity. */
function cpuQuota(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').trim().split(' ')
    return quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota) / Number(period)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function checkThreads(threads: number): Check {
  const quota = cpuQuota()
  const scarce = quota < threads
  const details = { threads, processors: availableParallelism() }
  if (!scarce)
    return {
      name: 'threads',
      status: 'ok',
      message: phrase('{threads} threads', { threads }),
      details,
    }
  const fitting = Math.max(1, Math.floor(quota))
  return {
    name: 'threads',
    status: 'warn',
    message: phrase(
      '{threads} threads, but the control group grants the time of {quota} processors',
      { threads, quota },
    ),
    remedy: phrase('run with --threads {fitting}', { fitting }),
    details: { ...details, quota },
  }
}

function checkMemory(): Check {
  const { total, available, limited } = readMemory()
  const status = available < LEAST_MEMORY ? 'fail' : available < LITTLE_MEMORY ? 'warn' : 'ok'
  const limit = limited ? phrase(', set by a control group') : ''
  return {
    name: 'memory',
    status,
    message: phrase('{available} available of {total}{limit}', {
      available: gib(available),
      total: gib(total),
      limit,
    }),
    ...(status === 'ok'
      ? {}
      : {
          remedy: phrase(
            'the miniature needs 0.5 GiB, a model about 20 bytes a parameter: free some',
          ),
        }),
    details: { total, available, limited },
  }
}

const CUDA_LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/libcuda.so.1',
  '/usr/lib/aarch64-linux-gnu/libcuda.so.1',
  '/usr/lib64/libcuda.so.1',
  '/usr/lib/libcuda.so.1',
  '/usr/lib/wsl/lib/libcuda.so.1',
]

/** Whether ranks on GPUs could talk to each other; nothing where there is no GPU, a warning where there are several. */
export function checkNccl(status: CudaStatus | undefined): Check[] {
  if (!status?.usable || status.nccl === undefined) return []
  const { usable, text } = status.nccl
  const details = { nccl: status.nccl }
  if (usable) {
    const message = phrase('ranks on several GPUs talk over NCCL {text}', { text })
    return [{ name: 'nccl', status: 'ok', message, details }]
  }
  const message = phrase('ranks on several GPUs cannot talk to each other: {text}', {
    text: text.split('\n', 2).join(' '),
  })
  if (status.devices.length === 1) return [{ name: 'nccl', status: 'ok', message, details }]
  const remedy = phrase(
    "install NVIDIA's package libnccl2, or pip install nvidia-nccl-cu13 and name its libnccl.so.2 in KOGRPO_NCCL",
  )
  return [{ name: 'nccl', status: 'warn', message, remedy, details }]
}

/** What the addon says of CUDA; where its build has none, whether this machine would have a use for it. */
function checkCuda(status: CudaStatus | undefined): Check {
  const devices = ['/dev/nvidia0', '/dev/nvidiactl', '/dev/dxg'].filter(existsSync)
  const more = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter(word => word !== '')
  const places = [...CUDA_LIBRARIES, ...more.map(directory => join(directory, 'libcuda.so.1'))]
  const driver = places.find(existsSync) ?? null
  const gpu = devices.includes('/dev/nvidia0') || (devices.includes('/dev/dxg') && driver !== null)
  const details = { ...status, files: devices, driver }
  if (status?.usable) {
    const cards = status.devices.map(
      (d, i) => `cuda:${i} ${d.name} (${gib(d.memory)}, compute capability ${d.capability})`,
    )
    const message = phrase('{cards}; products by {library}', {
      cards: cards.join(', '),
      library: status.products,
    })
    return { name: 'cuda', status: 'ok', message, details }
  }
  const found = gpu
    ? phrase('an NVIDIA device ({driver})', {
        driver: driver ?? phrase('but no driver library libcuda.so.1'),
      })
    : phrase('no NVIDIA device')
  const problem = status?.problem ?? phrase('the addon does not run')
  return {
    name: 'cuda',
    status: gpu ? 'warn' : 'ok',
    message: phrase('{found}; {problem}', { found, problem }),
    ...(gpu ? { remedy: phrase('use --device cpu (the default)') } : {}),
    details,
  }
}

const run = promisify(execFile)

/** The first line a program says about its version, or null. */
async function versionLine(program: string): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(program, ['--version'], { timeout: 10_000 })
    return (stdout || stderr).split('\n')[0]!.trim()
  } catch {
    return null
  }
}

async function checkCompiler(): Promise<Check> {
  const compilers = [process.env.CXX, 'c++', 'g++', 'clang++'].filter(name => name !== undefined)
  let compiler: string | null = null
  for (const name of compilers) compiler ??= await versionLine(name)
  const tools = { make: await versionLine('make'), python3: await versionLine('python3') }
  const missing: (string | Phrase)[] = Object.entries(tools).flatMap(([name, version]) =>
    version ? [] : [name],
  )
  if (compiler === null) missing.unshift(phrase('a C++ compiler'))
  const ok = missing.length === 0
  return {
    name: 'compiler',
    status: ok ? 'ok' : 'warn',
    message: ok
      ? verbatim(compiler!)
      : phrase('missing: {missing} (needed to build, not to train)', {
          missing: joined(missing, ', '),
        }),
    ...(ok ? {} : { remedy: COMPILER_REMEDY }),
    details: { compiler, ...tools },
  }
}

function checkDisk(): Check {
  const directory = process.cwd()
  try {
    accessSync(directory, constants.W_OK)
    const { bavail, bsize } = statfsSync(directory)
    const free = bavail * bsize
    const status = free < LEAST_DISK ? 'fail' : free < LITTLE_DISK ? 'warn' : 'ok'
    return {
      name: 'disk',
      status,
      message: phrase('{free} free in {directory}', { free: gib(free), directory }),
      ...(status === 'ok'
        ? {}
        : { remedy: phrase('free some, or write elsewhere with --output-dir') }),
      details: { directory, free },
    }
  } catch {
    const message = phrase('{directory} cannot be written to', { directory })
    const remedy = phrase('run in another directory, or write elsewhere with --output-dir')
    return { name: 'disk', status: 'warn', message, remedy, details: { directory, free: null } }
  }
}

function checkModel(): Check {
  const directory = modelPath('builtin:mini')
  const needed = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']
  const missing = needed.filter(file => !existsSync(join(directory, file)))
  const ok = missing.length === 0
  return {
    name: 'model',
    status: ok ? 'ok' : 'warn',
    message: ok
      ? phrase('builtin:mini is there ({directory})', { directory })
      : phrase(
          'builtin:mini lacks {missing} ({directory}): kogrpo train needs a recipe with another model',
          {
            missing: missing.join(', '),
            directory,
          },
        ),
    ...(ok
      ? {}
      : { remedy: phrase('install the package again, or make it: kogrpo train mini-base') }),
    details: { directory, missing },
  }
}

/** All checks, in the order in which they are shown. */
export async function allChecks(): Promise<Check[]> {
  const { version } = packageInfo()
  const addon = await findAddon()
  return [
    {
      name: 'kogrpo',
      status: 'ok',
      message: phrase('version {version}', { version }),
      details: { version },
    },
    checkNode(),
    checkPlatform(),
    ...checkAddon(addon),
    checkMemory(),
    checkCuda(addon.probe?.ok ? addon.probe.cuda : undefined),
    ...checkNccl(addon.probe?.ok ? addon.probe.cuda : undefined),
    await checkCompiler(),
    checkDisk(),
    checkModel(),
  ]
}
