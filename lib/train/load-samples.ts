/** The samples of a recipe's sources, of one alone or of several as a mixture. */
import { isBuiltin } from '../config/schema/source.ts'
import type { GrpoStage, Source } from '../config/schema.ts'
import { thinkInstruction } from '../config/think-template.ts'
import { Mixture } from '../data/mixture.ts'
import type { SourceRecord } from '../data/readers.ts'
import { describeRepeated } from '../data/repeated.ts'
import {
  collectSamples,
  type GrpoSample,
  type SampleOptions,
  type Outcome as SampleOutcome,
  type SftSample,
  toGrpoSample,
} from '../data/samples.ts'
import { joined, phrase } from '../messages/phrase.ts'
import { note } from '../report/events.ts'
import type { Session } from './session.ts'
import { sourceRecords } from './sources.ts'

/** How a stage turns records into samples. */
export type SampleMaker<T> = (record: SourceRecord, options: SampleOptions) => SampleOutcome<T>

interface SampleSettings {
  /** The key of the recipe that names the source, such as "sft.data[0]". */
  use: string
  maxLength: number
  overlong: SampleOptions['overlong']
  systemPrompt?: string | undefined
  instruction?: string | undefined
  enableThinking?: boolean | undefined
}

/** Samples of one source; what was skipped, truncated or stands there twice is reported. */
export async function loadSamples<T extends SftSample | GrpoSample>(
  session: Session,
  source: Source,
  make: SampleMaker<T>,
  settings: SampleSettings,
): Promise<T[]> {
  const { tokenizer, template, reporter, config } = session
  const { use, ...rest } = settings
  const { columns, domain } = source
  const options = { ...rest, columns, domain, tokenizer, template }
  const records = session.data.watch(use, source.path, sourceRecords(source, config.seed))
  const { samples, counts } = await collectSamples(records, record => make(record, options))
  if (counts.skipped > 0 || counts.truncated > 0) {
    reporter.emit(
      note(
        'warning',
        phrase(
          '{path}: of {records} samples {skipped} were skipped and {truncated} truncated (longer than {limit} tokens)',
          { path: source.path, ...counts, limit: settings.maxLength },
        ),
      ),
    )
  }
  const repeated = isBuiltin(source) ? null : describeRepeated(samples)
  if (repeated !== null) {
    reporter.emit(note('warning', joined([source.path, repeated], ': ')))
  }
  return samples
}

/** May order a source's samples. */
type Arrange<T> = (items: T[], source: Source) => { items: T[]; buckets?: number[] | undefined }

/** The sources of a stage as an endless, shuffled mixture; `settings.use` names their list. */
export async function loadMixture<T extends SftSample | GrpoSample>(
  session: Session,
  sources: Source[],
  seed: number,
  make: SampleMaker<T>,
  settings: SampleSettings,
  arrange: Arrange<T> = items => ({ items }),
): Promise<{ mixture: Mixture<T>; samples: T[] }> {
  const parts = []
  for (const [i, source] of sources.entries()) {
    const use = `${settings.use}[${i}]`
    const items = await loadSamples(session, source, make, { ...settings, use })
    parts.push({ name: `${i} ${source.path}`, ...arrange(items, source), weight: source.weight })
  }
  return { mixture: new Mixture(parts, { seed }), samples: parts.flatMap(part => part.items) }
}

/** The same of the prompts of the grpo stage. */
export function loadPrompts(
  session: Session,
  stage: GrpoStage,
  arrange?: Arrange<GrpoSample>,
): Promise<{ mixture: Mixture<GrpoSample>; samples: GrpoSample[] }> {
  const settings = {
    use: 'grpo.data',
    maxLength: stage.max_prompt_length,
    overlong: stage.overlong,
    systemPrompt: stage.system_prompt,
    instruction: thinkInstruction(stage.think_template),
    enableThinking: stage.enable_thinking,
  }
  const seed = stage.seed ?? session.config.seed
  return loadMixture(session, stage.data, seed, toGrpoSample, settings, arrange)
}
