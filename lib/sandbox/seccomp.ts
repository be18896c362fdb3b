/**
 * The seccomp filter of the sandbox, as the BPF program that bubblewrap loads: system calls that a
 * computation has no use for fail with EPERM (clone3 with ENOSYS, so that libc falls back to clone,
 * whose flags can be seen: no new namespaces). Another architecture's calls end the process. Numbers
 * are the kernel's tables for x86-64 and arm64; the layout is struct sock_filter { u16 code; u8 jt, jf;
 * u32 k } over struct seccomp_data { int nr; u32 arch; u64 ip; u64 args[6] }.
 */

/** [x86-64, arm64]; null where the architecture lacks the call. */
const DENIED: Record<string, readonly [number, number | null]> = {
  // Processes of others, namespaces, mounts.
  ...{ ptrace: [101, 117], process_vm_readv: [310, 270], process_vm_writev: [311, 271] },
  ...{ unshare: [272, 97], setns: [308, 268], mount: [165, 40], umount2: [166, 39] },
  ...{ pivot_root: [155, 41], chroot: [161, 51], mknod: [133, null], mknodat: [259, 33] },
  ...{ open_by_handle_at: [304, 265], name_to_handle_at: [303, 264] },
  // Network, and memory that outlives or escapes the limits.
  ...{ socket: [41, 198], connect: [42, 203], memfd_create: [319, 279] },
  ...{ shmget: [29, 194], msgget: [68, 186], semget: [64, 190] },
  // The kernel's own interfaces.
  ...{ keyctl: [250, 219], add_key: [248, 217], request_key: [249, 218], bpf: [321, 280] },
  ...{ perf_event_open: [298, 241], userfaultfd: [323, 282], fanotify_init: [300, 262] },
  ...{ io_uring_setup: [425, 425], io_uring_enter: [426, 426], io_uring_register: [427, 427] },
  ...{ kexec_load: [246, 104], kexec_file_load: [320, 294], init_module: [175, 105] },
  ...{ finit_module: [313, 273], delete_module: [176, 106], reboot: [169, 142] },
  ...{ swapon: [167, 224], swapoff: [168, 225], acct: [163, 89], quotactl: [179, 60] },
  ...{ settimeofday: [164, 170], clock_settime: [227, 112], adjtimex: [159, 171] },
  ...{ personality: [135, 92], syslog: [103, 116], vhangup: [153, 58], iopl: [172, null] },
  ...{ ioperm: [173, null], move_pages: [279, 239], mbind: [237, 235], set_mempolicy: [238, 237] },
}

const ARCHITECTURES = {
  x64: { audit: 0xc000_003e, column: 0, clone: 56 },
  arm64: { audit: 0xc000_00b7, column: 1, clone: 220 },
} as const
const CLONE3 = 435
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e02_0000

const [LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET, RETURN] = [0x20, 0x15, 0x35, 0x45, 0x06]
const [ALLOW, KILL, FAIL] = [0x7fff_0000, 0x8000_0000, 0x0005_0000]
const [EPERM, ENOSYS] = [1, 38]
/** Offsets in struct seccomp_data. */
const [NUMBER, ARCHITECTURE, FIRST_ARGUMENT] = [0, 4, 16]

/** The program for this machine; null on an architecture without a table. */
export function seccompProgram(architecture: string = process.arch): Buffer | null {
  if (architecture !== 'x64' && architecture !== 'arm64') return null
  const { audit, column, clone } = ARCHITECTURES[architecture]
  const denied = Object.values(DENIED).flatMap(numbers => numbers[column] ?? [])
  const program: [code: number, yes: number, no: number, k: number][] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NUMBER],
    // The x32 numbers of x86-64.
    [JUMP_GREATER_EQUAL, 0, 1, 0x4000_0000],
    [RETURN, 0, 0, KILL],
    [JUMP_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, FAIL | ENOSYS],
    ...denied.map((number, i): [number, number, number, number] => [
      JUMP_EQUAL,
      denied.length - 1 - i + 4,
      0,
      number,
    ]),
    [JUMP_EQUAL, 0, 2, clone],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [JUMP_SET, 1, 0, NEW_NAMESPACES],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, FAIL | EPERM],
  ]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [i, [code, yes, no, k]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * i)
    bytes.writeUInt8(yes, 8 * i + 2)
    bytes.writeUInt8(no, 8 * i + 3)
    bytes.writeUInt32LE(k >>> 0, 8 * i + 4)
  }
  return bytes
}
