/**
 * Korean consistency: the share of Korean in the thinking and in the answer, measured separately so
 * that a Korean answer cannot hide English thinking. What counts as Korean, and what is exempt, is
 * language/profile.ts.
 */
import type * as z from 'zod'
import { koreanOptions } from '../config/schema/reward-options.ts'
import {
  koreanOf,
  leakOf,
  type Profile,
  type ProfileOptions,
  profile,
  shareOf,
} from './language/profile.ts'
import { languageRequest, NO_REQUEST } from './language/request.ts'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction } from './types.ts'

interface KoreanShare {
  /** Korean letters / letters; null when the text has no letter that counts. */
  share: number | null
  korean: number
  letters: number
}

/** Share of Korean letters in `text` after the exemptions, without a prompt. */
export function koreanShare(text: string): KoreanShare {
  const { korean, all } = koreanOf(profile(text), 'letter')
  return { share: all === 0 ? null : korean / all, korean, letters: all }
}

/** Share of Korean from which a text counts as Korean, unless an option says otherwise. */
export const KOREAN = 0.8

type Settings = z.output<typeof koreanOptions>

/** The smaller of the shares in the units asked for; null when nothing counts. */
function share(part: Profile, { unit }: Settings): number | null {
  if (unit !== 'both') return shareOf(part, unit)
  const letters = shareOf(part, 'letter')
  const words = shareOf(part, 'word')
  return letters === null || words === null ? letters : Math.min(letters, words)
}

/**
 * Makes the Korean reward. `value: threshold` gives 1 when every part asked for reaches `threshold`,
 * else 0; `value: share` gives the smaller of their shares. Thinking in which nothing counts has share
 * 0 (a row of numbers is not Korean thinking), an answer 1 (it may be just a number). No think block,
 * or no answer, gives 0, and so does a share of Chinese and Japanese above `max_leak`.
 */
export function koreanReward(options?: unknown): RewardFunction {
  const settings = parseOptions('reward korean', koreanOptions, options)
  const { threshold = KOREAN, value, parts, exempt_quotes, exempt_prompt, max_leak } = settings
  return input =>
    input.completions.map((text, i) => {
      const { thinking, answer } = splitThinking(text)
      if (thinking === null || thinking === '' || answer === '') return 0
      const request = exempt_prompt ? languageRequest(input.prompts[i]!) : NO_REQUEST
      const options: ProfileOptions = { quotes: exempt_quotes, request }
      const profiles: [Profile, number][] = []
      if (parts !== 'answer') profiles.push([profile(thinking, options), 0])
      if (parts !== 'thinking') profiles.push([profile(answer, { ...options, answer: true }), 1])
      if (max_leak !== undefined && profiles.some(([part]) => leakOf(part) > max_leak)) return 0
      const least = Math.min(...profiles.map(([part, empty]) => share(part, settings) ?? empty))
      return value === 'share' ? least : least >= threshold ? 1 : 0
    })
}

/** Whether the completion has thinking, and that is Korean. */
export function koreanThinking(completion: string): boolean {
  const { thinking } = splitThinking(completion)
  return thinking !== null && (koreanShare(thinking).share ?? 0) >= KOREAN
}
