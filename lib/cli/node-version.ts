/**
 * Whether a Node is new enough. bin/kogrpo.mjs asks this before all else, so this file imports nothing
 * and keeps to what an old Node reads.
 */

/** Whether version a.b.c is at least `>=x.y`. */
export function satisfies(version: string, range: string): boolean {
  const numbers = (text: string): number[] => (text.match(/\d+/g) || []).map(Number)
  const has = numbers(version)
  const needs = numbers(range)
  for (let i = 0; i < needs.length; i++) {
    const [have, need] = [has[i] || 0, needs[i] || 0]
    if (have !== need) return have > need
  }
  return true
}

/** Whether the user reads Korean, by the rules of --lang and the locale (messages/language.ts), in short. */
export function readsKorean(
  args: readonly string[],
  env: Record<string, string | undefined>,
): boolean {
  const at = args.lastIndexOf('--lang')
  const given =
    at < 0 ? args.filter(word => word.startsWith('--lang=')).pop() : `--lang=${args[at + 1]}`
  if (given !== undefined) return given === '--lang=ko'
  if (env.KOGRPO_LANG) return env.KOGRPO_LANG === 'ko'
  return /^ko(?![a-z])/i.test(env.LC_ALL || env.LC_MESSAGES || env.LANG || '')
}

/** Why Node `version` cannot run kogrpo, and what to do; null when it can. `needed`: `>=20.17`. */
export function nodeProblem(version: string, needed: string, korean = false): string | null {
  if (satisfies(version, needed)) return null
  const least = needed.replace(/^>=/, '')
  if (korean) {
    return `Node ${least} 이상이 필요한데 지금은 ${version}입니다. https://nodejs.org 에서 받아 설치하세요(또는: nvm install --lts)`
  }
  return `Node ${least} or newer is needed, this is ${version}; install one from https://nodejs.org (or: nvm install --lts)`
}
