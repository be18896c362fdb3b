/**
 * New tokens for a trained model (RedWhale, arXiv 2408.11294): a new token's row, in the embedding and in
 * the LM head alike, begins as the mean of the rows of the tokens that wrote it so far, so that the model
 * reads and predicts it about as it did its parts.
 *
 * The tokens become `added_tokens` of the tokenizer: they are found in a text before it is split and
 * merged, the longest first, wherever their characters stand. No merge leads to them.
 */
import type { Tokenizer } from '../data/tokenizer.ts'
import { KogrpoError } from '../errors.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'

/** How the rows of new tokens begin. */
export type VocabularyInit = 'subtoken_mean' | 'mean' | 'random'

export interface NewTokens {
  /** In the order of their ids, which begin at the tokenizer's size. */
  tokens: string[]
  /** The ids that wrote each of them so far. */
  subtokens: number[][]
  /** Wanted, but tokens already. */
  known: string[]
}

/**
 * Checks the words of `file` (one a line). Throws `E_TOKENIZER` naming the line of a word that no tokenizer
 * could find in a text.
 */
export function newTokens(words: readonly string[], tokenizer: Tokenizer, file: string): NewTokens {
  const result: NewTokens = { tokens: [], subtokens: [], known: [] }
  const seen = new Map<string, number>()
  for (const [i, word] of words.entries()) {
    if (word === '') continue
    const refuse = (why: Phrase): never => {
      const where = `${file}:${i + 1}: ${JSON.stringify(word)}`
      throw new KogrpoError('E_TOKENIZER', joined([where, why], ' '))
    }
    const before = seen.get(word)
    if (before !== undefined) {
      refuse(phrase('stands in line {before} already; each token once', { before }))
    }
    seen.set(word, i + 1)
    if (tokenizer.normalize(word) !== word) {
      refuse(phrase('is not in the normal form (NFC) of the texts it would be found in'))
    }
    if (/^\s|\s$/.test(word)) {
      refuse(phrase('begins or ends with a space; the spaces belong to the text'))
    }
    const ids = tokenizer.encode(word)
    if (ids.length === 1) {
      result.known.push(word)
      continue
    }
    result.tokens.push(word)
    result.subtokens.push(ids)
  }
  if (result.tokens.length === 0) {
    throw new KogrpoError(
      'E_TOKENIZER',
      result.known.length > 0
        ? phrase('{file}: all {count} words are tokens already; nothing to add', {
            file,
            count: result.known.length,
          })
        : phrase('{file}: holds no word; nothing to add', { file }),
    )
  }
  return result
}

/** Rows of the embedding after `count` new tokens: the padding is used first, then multiples of `unit`. */
export function extendedRows(
  rows: number,
  tokenizerSize: number,
  count: number,
  unit: number,
): number {
  const needed = tokenizerSize + count
  return needed <= rows ? rows : Math.ceil(needed / unit) * unit
}
