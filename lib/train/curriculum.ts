/** The prompts of a grpo stage in the order of its curriculum: buckets for the mixture, by pass rate. */

import { curriculumBuckets } from '../algorithms/curriculum.ts'
import type { GrpoStage, Source } from '../config/schema.ts'
import type { GrpoSample } from '../data/samples.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { note } from '../report/events.ts'
import type { Session } from './session.ts'

/** A source's samples that stay, with the bucket of each (null: a plain shuffle). */
interface Ordered {
  items: GrpoSample[]
  buckets: number[] | null
  /** Left out because no attempt at them was right. */
  dropped: number
}

/** Throws `E_DATA` naming file, line and column where a pass rate is missing. */
function inCurriculum(stage: GrpoStage, samples: readonly GrpoSample[]): Ordered {
  const { curriculum } = stage
  if (!curriculum) return { items: [...samples], buckets: null, dropped: 0 }
  const { order, buckets, column, drop_zero_pass } = curriculum
  const rated = samples.map(sample => ({ sample, rate: passRate(sample, column) }))
  const stay = rated.filter(({ rate }) => !(drop_zero_pass && rate === 0))
  if (stay.length === 0) {
    throw new KogrpoError(
      'E_DATA',
      phrase(
        '{file}: every prompt has pass rate 0, so curriculum.drop_zero_pass leaves none; train the skill first (sft)',
        { file: samples[0]!.file },
      ),
    )
  }
  const rates = stay.map(({ rate }) => rate)
  return {
    items: stay.map(({ sample }) => sample),
    buckets: curriculumBuckets(rates, order, buckets),
    dropped: samples.length - stay.length,
  }
}

/** `inCurriculum` for the mixture; says what was left out. */
export function arrangePrompts(
  { reporter }: Session,
  stage: GrpoStage,
  samples: readonly GrpoSample[],
  { path }: Source,
): { items: GrpoSample[]; buckets?: number[] | undefined } {
  const { items, buckets, dropped } = inCurriculum(stage, samples)
  if (dropped > 0) {
    reporter.emit(
      note(
        'info',
        phrase(
          '{path}: {dropped} of {all} prompts were never solved and are left out (curriculum.drop_zero_pass)',
          { path, dropped, all: samples.length },
        ),
      ),
    )
  }
  return { items, buckets: buckets ?? undefined }
}

function passRate({ extra, file, line }: GrpoSample, column: string): number {
  const rate = extra[column]
  if (typeof rate === 'number' && rate >= 0 && rate <= 1) return rate
  throw new KogrpoError(
    'E_DATA',
    phrase(
      '{file}:{line}: curriculum needs the column "{column}" with a pass rate of 0 to 1, got {value}; kogrpo data difficulty writes it',
      { file, line, column, value: JSON.stringify(rate) ?? 'undefined' },
    ),
  )
}
