/** Runs one experiment over its seeds and holds the measurements against the gate. */
import { KogrpoError } from '../errors.ts'
import type { Experiment, ExperimentContext, ExperimentResult, Measurement } from './types.ts'

/** Four significant digits: results are read by people and compared by diff. */
function rounded(measurement: Measurement): Measurement {
  return Object.fromEntries(
    Object.entries(measurement).map(([key, value]) => [key, Number(value.toPrecision(4))]),
  )
}

/** Throws `E_EXPERIMENT` where a measurement is no number: a broken experiment has no verdict. */
export async function runExperiment(
  experiment: Experiment,
  seeds: readonly number[],
  context: ExperimentContext,
): Promise<ExperimentResult> {
  const { name, paper, claim, gate } = experiment
  const before = process.cpuUsage()
  const measurements: Measurement[] = []
  for (const seed of seeds) {
    context.signal.throwIfAborted()
    const measurement = await experiment.run(seed, {
      ...context,
      progress: message => context.progress(`${name}, seed ${seed}: ${message}`),
    })
    for (const [key, value] of Object.entries(measurement)) {
      if (Number.isFinite(value)) continue
      throw new KogrpoError('E_EXPERIMENT', `${name}, seed ${seed}: "${key}" is ${value}`)
    }
    measurements.push(rounded(measurement))
  }
  const { user, system } = process.cpuUsage(before)
  const { pass, measured } = experiment.verdict(measurements)
  const cpu_seconds = Math.round((user + system) / 1e6)
  return { name, paper, claim, gate, pass, measured, seeds: [...seeds], measurements, cpu_seconds }
}

/** Values of one name over the seeds as "0.98 0.97 0.99", for verdicts. */
export function listed(measurements: readonly Measurement[], key: string): string {
  return measurements.map(measurement => measurement[key]!.toFixed(3)).join(' ')
}

/** Mean over the seeds. */
export function meanOf(measurements: readonly Measurement[], key: string): number {
  return measurements.reduce((sum, row) => sum + row[key]!, 0) / measurements.length
}
