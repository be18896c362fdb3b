/**
 * Languages of a batch of completions, as metrics:
 *
 *   language/{thinking,answer}_korean_share        mean share of Korean letters (parts without letters left out)
 *   language/{thinking,answer}_korean_word_share   the same in words
 *   language/{chinese,japanese,latin,other}_leak_rate   share of completions with such text that is not exempt
 *   language/broken_text_rate                      share of completions whose bytes are not all of whole characters (U+FFFD)
 *   language/switches                              changes between Korean and foreign in the thinking, mean
 */
import { splitThinking } from '../think.ts'
import type { RewardInput } from '../types.ts'
import { profile, shareOf } from './profile.ts'
import { type LanguageRequest, languageRequest } from './request.ts'

const LEAKS = ['chinese', 'japanese', 'latin', 'other'] as const

/** The metrics of `input`; a mean of nothing is left out. */
export function languageMetrics(
  input: Pick<RewardInput, 'prompts' | 'completions'>,
): Record<string, number> {
  const sums = new Map<string, { sum: number; n: number }>()
  const note = (name: string, value: number | null): void => {
    if (value === null) return
    const { sum, n } = sums.get(name) ?? { sum: 0, n: 0 }
    sums.set(name, { sum: sum + value, n: n + 1 })
  }
  // Completions of a group share one prompt object.
  const requests = new Map<object, LanguageRequest>()
  input.completions.forEach((text, i) => {
    const prompt = input.prompts[i]!
    const request = requests.get(prompt) ?? languageRequest(prompt)
    requests.set(prompt, request)
    const parts = splitThinking(text)
    const thinking = parts.thinking === null ? null : profile(parts.thinking, { request })
    const answer = profile(parts.answer, { request, answer: true })
    for (const [name, part] of [
      ['thinking', thinking],
      ['answer', answer],
    ] as const) {
      if (part === null) continue
      note(`${name}_korean_share`, shareOf(part, 'letter'))
      note(`${name}_korean_word_share`, shareOf(part, 'word'))
    }
    for (const language of LEAKS) {
      const leaks = [thinking, answer].some(part => (part?.counted[language].letter ?? 0) > 0)
      note(`${language}_leak_rate`, leaks ? 1 : 0)
    }
    note('broken_text_rate', text.includes('\u{fffd}') ? 1 : 0)
    if (thinking !== null) note('switches', thinking.switches)
  })
  return Object.fromEntries([...sums].map(([name, { sum, n }]) => [`language/${name}`, sum / n]))
}
