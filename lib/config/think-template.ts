/**
 * The structured thinking of SARI (arXiv 2504.15900: planning, caption, reasoning, summary; here without the
 * caption of audio) as a request in the system message. The reward `structure` looks for the same titles.
 */

export const THINK_TEMPLATES = ['free', 'structured'] as const
type ThinkTemplate = (typeof THINK_TEMPLATES)[number]

/** Titles of the sections, in their order. */
export const THINK_SECTIONS: readonly string[] = ['계획', '이해', '풀이', '정리']

/** What the system message asks for; undefined: nothing. */
export function thinkInstruction(template: ThinkTemplate): string | undefined {
  if (template === 'free') return undefined
  const titles = THINK_SECTIONS.map(title => `"${title}"`).join(', ')
  return `생각은 ${titles}의 네 부분으로 나누어 이 차례로 씁니다. 각 부분은 제목만 있는 줄로 시작합니다.`
}
