/**
 * How a language model's reply is read: behind its thinking, the last JSON object must be
 * {"verdict": 0} or {"verdict": 1}, with at most a text "reason" before it. An object inside another
 * one is no verdict, nor is one behind an object that was never closed: what a reply quotes from the
 * answer it judges must not become its word. Anything else is a failed verdict.
 */
import type { Critique, Verdict } from './types.ts'

const VERDICT = /^\{\s*(?:"reason"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*)?"verdict"\s*:\s*([01])\s*\}$/s

/** Reads a critique: what a reply says behind its thinking, all of it. Never throws. */
export function parseCritique(reply: string): Critique {
  const text = behindThinking(reply)
  if (text === null) return { failed: `the thinking has no end: ${excerpt(reply)}` }
  return text.trim() === '' ? { failed: 'the reply is empty' } : { critique: text.trim() }
}

/** Null where the thinking has no end. */
function behindThinking(reply: string): string | null {
  const thinking = reply.lastIndexOf('</think>')
  const text = thinking < 0 ? reply : reply.slice(thinking + '</think>'.length)
  return text.includes('<think>') ? null : text
}

/** Reads a reply. Never throws; linear but for the braces, of which the last 100 are looked at. */
export function parseVerdict(reply: string): Verdict {
  const text = behindThinking(reply)
  if (text === null) return { failed: `the thinking has no end: ${excerpt(reply)}` }
  const close = text.lastIndexOf('}')
  let open = text.lastIndexOf('{')
  for (let looked = 0; looked < 100 && open >= 0 && close >= 0; looked++) {
    const match = open < close ? VERDICT.exec(text.slice(open, close + 1)) : null
    if (match !== null) {
      if (!balanced(text.slice(0, open))) break
      return { verdict: match[1] === '1' ? 1 : 0 }
    }
    // A brace behind the last object was opened and never closed.
    if (open > close || open === 0) break
    open = text.lastIndexOf('{', open - 1)
  }
  return { failed: `no {"verdict": 0|1} at the end of the reply: ${excerpt(reply)}` }
}

/** Whether every brace that is opened is closed, and none before it is opened. */
function balanced(text: string): boolean {
  let depth = 0
  for (const character of text) {
    if (character === '{') depth++
    else if (character === '}' && --depth < 0) return false
  }
  return depth === 0
}

/** The end of a text, short enough for a log line. */
export function excerpt(text: string): string {
  const line = text.slice(-4000).replace(/\s+/g, ' ').trim()
  return JSON.stringify(line.length > 120 ? `…${line.slice(-120)}` : line)
}
