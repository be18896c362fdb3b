/**
 * Which tokens of a vocabulary write Chinese, and the factor that suppresses each: Smoothie-Qwen (Ji
 * et al. 2025, arXiv 2507.05686).
 *
 *   a token whose text has a target character (characters.ts)   S = min_scale
 *   a broken token (its text has U+FFFD) of risk r              S = 1 − (1 − min_scale) · ln(1 + (γ − 1)·r) / ln γ
 *   any other                                                   S = 1
 *
 * with r = Σ w_n P_n / Σ w_n over n = 2 … 4 (risk.ts). S multiplies the token's row of the LM head
 * (write.ts) or, which is the same, its logit (Engine.setLogitScale). It is not a factor on the
 * probability: it draws the logit towards 0, so a negative one rises.
 *
 * With `keep_korean`, differently from the publication, symbols of Korean text are no target, and a
 * broken token that no target character begins with is left alone: half a Hangul syllable followed
 * by random others "writes Chinese" as well, in the others, and would be scaled by 0.88.
 */
import type { SmoothSettings } from '../config/schema/smooth.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { CHINESE_BLOCKS, CharacterSet, type Interval, KOREAN_SYMBOLS } from './characters.ts'
import { BrokenTokens } from './risk.ts'

/** A token whose logit is scaled. */
export interface ScaledToken {
  id: number
  scale: number
}

export interface Smoothing {
  /** One factor a vocabulary id, 1 where nothing is suppressed. */
  scale: Float32Array
  /** Tokens with a target character, by id. */
  chinese: ScaledToken[]
  /** Scaled broken tokens, by id. */
  broken: ScaledToken[]
  /** Broken tokens left alone. */
  brokenKept: number
  /** Tokens of the published character blocks left alone for Korean, or by `keep`. */
  kept: number[]
}

/** The factor of a broken token of risk `r`. */
export function scaleOfRisk(r: number, minScale: number, gamma: number): number {
  if (r <= 0) return 1
  if (r >= 1) return minScale
  return 1 - ((1 - minScale) * Math.log(1 + (gamma - 1) * r)) / Math.log(gamma)
}

function points(text: string): Interval[] {
  return [...text].map(character => [character.codePointAt(0)!, character.codePointAt(0)!])
}

/**
 * The suppression of Chinese for `tokenizer` and a model of `vocabSize` rows. Special tokens are never
 * touched. Throws `E_SMOOTH` when no token of the vocabulary writes Chinese.
 */
export function smoothVocabulary(
  tokenizer: Tokenizer,
  vocabSize: number,
  settings: SmoothSettings,
): Smoothing {
  const { min_scale, gamma, ngram_weights, keep_korean, keep } = settings
  const published = new CharacterSet(CHINESE_BLOCKS)
  const target = published
    .without(keep_korean ? KOREAN_SYMBOLS : [])
    .without(points(keep.normalize('NFC')))
  const has = (text: string, set: CharacterSet): boolean =>
    [...text].some(character => set.has(character.codePointAt(0)!))

  const result: Smoothing = {
    scale: new Float32Array(vocabSize).fill(1),
    chinese: [],
    broken: [],
    brokenKept: 0,
    kept: [],
  }
  const broken: { id: number; bytes: Uint8Array; chinese: boolean }[] = []
  for (let id = 0; id < tokenizer.size; id++) {
    if (!tokenizer.hasId(id) || tokenizer.isSpecial(id)) continue
    const text = tokenizer.decode([id])
    const chinese = has(text, target)
    if (text.includes('\u{fffd}')) broken.push({ id, bytes: tokenizer.bytesOf(id), chinese })
    if (chinese) result.chinese.push({ id, scale: min_scale })
    else if (has(text, published)) result.kept.push(id)
  }
  if (result.chinese.length + broken.length === 0) {
    throw new KogrpoError(
      'E_SMOOTH',
      phrase('no token of the tokenizer in {dir} writes Chinese; there is nothing to suppress', {
        dir: tokenizer.dir,
      }),
    )
  }

  const model = new BrokenTokens(
    broken.map(({ bytes }) => bytes),
    target,
  )
  const total = ngram_weights.reduce((sum, weight) => sum + weight, 0)
  for (const { id, bytes, chinese } of broken) {
    if (chinese) continue
    if (keep_korean && !model.canBegin(bytes)) {
      result.brokenKept++
      continue
    }
    const risks = model.probabilities(bytes, ngram_weights.length + 1)
    const risk = risks.reduce((sum, p, i) => sum + ngram_weights[i]! * p, 0) / total
    result.broken.push({ id, scale: scaleOfRisk(risk, min_scale, gamma) })
  }
  for (const { id, scale } of [...result.chinese, ...result.broken]) result.scale[id] = scale
  return result
}
