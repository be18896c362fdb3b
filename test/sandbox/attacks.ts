/**
 * Programs that try to get out of the sandbox, to take more than their share, or to pass without having
 * solved anything. Each one's `attack` is code that ends normally only if the attack has worked.
 */
export interface Attack {
  name: string
  attack: string
}

/** What attacks use; the tests see that it can be imported, so that none fails for want of it. */
export const imports = 'import os, sys, time, ctypes, subprocess\n'
const attack = (name: string, ...lines: string[]): Attack => ({
  name,
  attack: imports + lines.join('\n'),
})

/** `host`: a file of the host with a secret in it, `pid`: the runner's process. */
export const attacks = (host: string, pid: number): Attack[] => [
  // Network.
  attack('internet socket', 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)'),
  attack('IPv6 socket', 'import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)'),
  attack('unix socket', 'import socket; socket.socket(socket.AF_UNIX)'),
  attack('netlink socket', 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)'),
  attack('listening', 'import socket; socket.create_server(("127.0.0.1", 0))'),
  attack(
    'fetching a page',
    'import urllib.request; urllib.request.urlopen("http://1.1.1.1", timeout=2)',
  ),
  // Files of the host.
  attack('reading a file of the host', `print(open(${JSON.stringify(host)}).read())`),
  attack('listing homes', 'os.listdir("/home"); os.listdir("/root")'),
  attack('reading /etc/passwd', 'open("/etc/passwd").read()'),
  attack('a symbolic link out', 'os.symlink("/etc/passwd", "/tmp/x"); open("/tmp/x").read()'),
  attack('climbing out with ..', 'open("../../../../etc/hostname").read()'),
  attack('reading /proc of the host', 'open("/proc/1/environ", "rb").read()'),
  attack('own memory through /proc', 'open("/proc/self/mem", "r+b")'),
  attack('reading /sys', 'os.listdir("/sys/class/net")'),
  attack('writing to the root', 'open("/x", "w").write("x")'),
  attack('writing to the interpreter', `open(sys.executable, "ab").write(b"x")`),
  attack('writing a module', 'open(os.path.join(os.path.dirname(os.__file__), "evil.py"), "w")'),
  attack('replacing the harness', 'open("/harness.py", "w").write("x")'),
  attack('a device of memory', 'open("/dev/mem", "rb")'),
  attack('making a device', 'os.mknod("/tmp/d", 0o60666, os.makedev(8, 0)); open("/tmp/d", "rb")'),
  // Privileges.
  attack('becoming root', 'os.setuid(0); assert os.getuid() == 0'),
  attack('mounting', 'assert ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0'),
  attack('a new namespace', 'assert ctypes.CDLL(None).unshare(0x10000000) == 0'),
  attack(
    'a new namespace by clone',
    'assert ctypes.CDLL(None).syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0',
  ),
  attack('tracing the parent', 'assert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0'),
  attack('another root directory', 'os.chroot("/tmp")'),
  attack('the kernel keyring', 'assert ctypes.CDLL(None).syscall(250, 0, -3, 1, 0, 0) >= 0'),
  attack(
    'raising limits',
    'import resource; resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))',
  ),
  // Other processes.
  attack('killing the runner', `os.kill(${pid}, 9)`),
  attack('killing init', 'os.kill(1, 9); time.sleep(1); raise SystemError'),
  attack('killing everything', 'os.kill(-1, 9); time.sleep(1); raise SystemError'),
  attack('running a shell', 'subprocess.run(["/bin/sh", "-c", "true"], check=True)'),
  // Shares.
  attack(
    'a fork bomb',
    'children = 0',
    'while children < 200:',
    '  if os.fork() == 0: time.sleep(30); os._exit(0)',
    '  children += 1',
  ),
  attack('memory', 'x = bytearray(2**31)'),
  attack('memory in small pieces', 'x = []', 'while len(x) < 4096: x.append(bytearray(2**20))'),
  attack('a file larger than the scratch', 'open("/tmp/x", "wb").write(b"x" * (64 * 2**20))'),
  attack(
    'many files beyond the scratch',
    'for i in range(64): open("/tmp/%d" % i, "wb").write(b"x" * 2**20)',
  ),
  attack('shared memory', 'open("/dev/shm/x", "wb").write(b"x" * 2**20)'),
  attack('memory without an address space', 'os.memfd_create("x")'),
  attack('sleeping', 'time.sleep(60)'),
  attack('spinning', 'while True: pass'),
  attack(
    'threads without end',
    'import threading',
    'for _ in range(500): threading.Thread(target=time.sleep, args=(30,)).start()',
  ),
  attack(
    'a flood on every descriptor',
    'for d in range(3, 64):\n  try: os.write(d, b"x" * 10**7)\n  except OSError: pass\nraise SystemError',
  ),
  attack('a deep recursion', 'sys.setrecursionlimit(10**8)\ndef f(): return f()\nf()'),
  attack('a crash', 'ctypes.string_at(0)'),
  attack('detaching', 'if os.fork() == 0:\n  os.setsid(); time.sleep(60)\nelse: time.sleep(60)'),
]

/** Ways to look as if the tests had passed. */
export const forgeries: Attack[] = [
  attack('ending early', 'os._exit(0)'),
  attack('exiting politely', 'sys.exit(0)'),
  attack(
    'saying so',
    'for d in range(3, 20):\n  try: os.write(d, b"works")\n  except OSError: pass\nos._exit(0)',
  ),
  attack('printing', 'print("passed"); print("1"); os._exit(0)'),
  attack('killing oneself', 'os.kill(os.getpid(), 9)'),
  attack(
    'saying what the harness would',
    'import __main__',
    'for d in range(3, 20):',
    '  try: os.write(d, getattr(__main__, "word", b"word"))',
    '  except OSError: pass',
    'os._exit(0)',
  ),
  attack(
    'an exit that is not one',
    'os._exit = lambda code: None\nos.write = lambda d, b: len(b)\nraise SystemExit',
  ),
]
