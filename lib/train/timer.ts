/** Seconds spent in the phases of a step, as verl's `timing_s/*`. */
export class Timer {
  readonly #started = performance.now()
  readonly #seconds = new Map<string, number>()

  /** Runs `work` and adds its time to `phase`. */
  async time<T>(phase: string, work: () => Promise<T> | T): Promise<T> {
    const started = performance.now()
    try {
      return await work()
    } finally {
      const seconds = (performance.now() - started) / 1000
      this.#seconds.set(phase, (this.#seconds.get(phase) ?? 0) + seconds)
    }
  }

  seconds(phase: string): number {
    return this.#seconds.get(phase) ?? 0
  }

  total(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** `timing_s/<phase>` of every phase, `timing_s/step` and `perf/*` for `tokens` processed. */
  metrics(tokens: number): Record<string, number> {
    const step = this.total()
    const phases = [...this.#seconds].map(([phase, s]) => [`timing_s/${phase}`, s] as const)
    return {
      ...Object.fromEntries(phases),
      'timing_s/step': step,
      'perf/total_num_tokens': tokens,
      'perf/time_per_step': step,
      'perf/throughput': tokens / step,
      'perf/cpu_memory_used_gb': process.memoryUsage().rss / 2 ** 30,
    }
  }
}
