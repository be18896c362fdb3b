/**
 * The contract of an experiment: one neighbouring paper's claim, repeated on this engine at toy size,
 * with a gate that was fixed before it ran. One file of this folder per experiment; registry.ts lists
 * them, run.ts runs them over seeds, table.ts writes what came out, failures included.
 */

/** Numbers that one seed gave, by name: shares in 0 … 1, nats, tokens … as the experiment says. */
export type Measurement = Record<string, number>

export interface ExperimentContext {
  signal: AbortSignal
  /** Threads of each engine; no number depends on it. */
  threads: number
  /** Says on one line what is being done. */
  progress(message: string): void
}

export interface Verdict {
  pass: boolean
  /** The measured values that the gate looks at, in words and numbers. */
  measured: string
}

export interface Experiment {
  /** Also the name of its file of results. */
  name: string
  /** Short title and arXiv number. */
  paper: string
  /** What the paper says, in a sentence. */
  claim: string
  /** What has to be measured for the experiment to pass. */
  gate: string
  /** Processor seconds that three seeds take, about. */
  seconds: number
  /** Measures with one seed; equal seeds give equal numbers. */
  run(seed: number, context: ExperimentContext): Promise<Measurement>
  /** Holds the measurements of all seeds against the gate. */
  verdict(measurements: readonly Measurement[]): Verdict
}

/** What a run of an experiment leaves behind: bench/neighbours/NAME.json. */
export interface ExperimentResult {
  name: string
  paper: string
  claim: string
  gate: string
  pass: boolean
  measured: string
  seeds: number[]
  /** By seed, in the order of `seeds`. */
  measurements: Measurement[]
  /** Processor time of this process over all seeds. */
  cpu_seconds: number
  /** Written by hand where the figures are not those of the present set-up. */
  note?: string | undefined
}
