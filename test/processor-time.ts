/**
 * Time as this process has had it. Bounds on how long a computation may take are held against it,
 * since the clock on the wall counts what other processes do as well.
 */

/** Milliseconds of processor, user and system, that this process has had so far. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
