/**
 * The structured thinking of SARI (arXiv 2504.15900: planning, caption, reasoning, summary; here without
 * the caption of audio): sections that begin with their title on a line of their own, in order, each with
 * something in it. Titles may carry Markdown marks, a number and a colon: "## 1. 계획:".
 */
import { structureOptions } from '../config/schema/reward-options.ts'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction } from './types.ts'

const escaped = (title: string): string => title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Share of the sections that stand in the thinking in their order, once each, with content. */
export function structureShare(thinking: string, sections: readonly string[]): number {
  const titles = sections.map(escaped).join('|')
  const title = new RegExp(
    `^[#*\\s\\[]*(?:\\d+[.)]\\s*)?(${titles})[\\]*\\s]*(?:[:：][*\\s]*)?$`,
    'u',
  )
  const found: { section: number; content: boolean }[] = []
  for (const line of thinking.split('\n')) {
    const match = title.exec(line)
    if (match) found.push({ section: sections.indexOf(match[1]!), content: false })
    else if (line.trim() !== '' && found.length > 0) found.at(-1)!.content = true
  }
  let next = 0
  let kept = 0
  for (const { section, content } of found) {
    if (section < next || found.filter(other => other.section === section).length > 1) continue
    next = section + 1
    if (content) kept++
  }
  return kept / sections.length
}

/** Makes the structure reward: 1 for every section in order, else 0; with `value: share` the share. */
export function structureReward(options?: unknown): RewardFunction {
  const { sections, value } = parseOptions('reward structure', structureOptions, options)
  return input =>
    input.completions.map(text => {
      const share = structureShare(splitThinking(text).thinking ?? '', sections)
      return value === 'share' ? share : Number(share === 1)
    })
}
