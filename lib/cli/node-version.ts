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

/** Why Node `version` cannot run kogrpo, and what to do; null when it can. `needed`: `>=20.17`. */
export function nodeProblem(version: string, needed: string): string | null {
  if (satisfies(version, needed)) return null
  const least = needed.replace(/^>=/, '')
  return `Node ${least} or newer is needed, this is ${version}; install one from https://nodejs.org (or: nvm install --lts)`
}
