/** A vocabulary that grows: rows, tokenizer and config, and what is refused. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { modelPath } from '../../lib/train/sources.ts'
import { extendedRows, newTokens } from '../../lib/vocab/extend.ts'
import { writeExtended } from '../../lib/vocab/write.ts'
import { temporaryDirectory } from '../train/tiny.ts'

const EMBED = 'model.embed_tokens.weight'
const normals = (count: number): Float32Array => new Float32Array(count).fill(1)
const words = ['사과나무', '컴퓨터공학', '우주비행사']

async function mini(): Promise<Awaited<ReturnType<typeof openModelDirectory>>> {
  return await openModelDirectory(modelPath('builtin:mini'))
}

describe('extended vocabulary', () => {
  it('writes rows, tokenizer and config: beyond the padding, then into it', async () => {
    const more = ['전자계산기', '도서관장', '자전거길']
    let directory = await mini()
    const widthOf = directory.config.hiddenSize
    for (const [round, list] of [words, more].entries()) {
      const tokenizer = await Tokenizer.load(directory.tokenizerDir)
      const { size } = tokenizer
      const added = newTokens(list, tokenizer, 'words.txt')
      const output = join(await temporaryDirectory(), 'extended')
      const options = { init: 'subtoken_mean' as const, padTo: 128, normals }
      const written = await writeExtended(directory, size, added, output, options)
      const rowsBefore = round === 0 ? 1024 : 1152
      expect(written).toEqual({ dtype: 'BF16', rowsBefore, rows: 1152 })

      const after = await openModelDirectory(output)
      const grown = await Tokenizer.load(output)
      expect(grown.size).toBe(size + list.length)
      expect(grown.encode(`큰 ${list[0]}!`)).toEqual([
        ...tokenizer.encode('큰 '),
        size,
        ...tokenizer.encode('!'),
      ])
      expect(grown.decode(grown.encode(`나는 ${list[2]}다`))).toBe(`나는 ${list[2]}다`)

      await using before = await Engine.load(directory)
      await using engine = await Engine.load(after)
      const [old, now] = [await before.readParameter(EMBED), await engine.readParameter(EMBED)]
      const row = (values: Float32Array, id: number): Float32Array =>
        values.slice(id * widthOf, (id + 1) * widthOf)
      expect(now.slice(0, size * widthOf)).toEqual(old.slice(0, size * widthOf))
      for (const [i, ids] of added.subtokens.entries()) {
        const own = row(now, size + i)
        for (let c = 0; c < widthOf; c++) {
          const mean = ids.reduce((sum, id) => sum + row(old, id)[c]!, 0) / ids.length
          // Rounded to bf16, as the model is stored.
          expect(Math.abs(own[c]! - mean)).toBeLessThanOrEqual(Math.abs(mean) * 2 ** -8)
        }
      }
      expect(row(now, 1151)).toEqual(new Float32Array(widthOf))
      const name = 'model.layers.3.mlp.down_proj.weight'
      expect(await engine.readParameter(name)).toEqual(await before.readParameter(name))
      const config = JSON.parse(await readFile(join(output, 'tokenizer_config.json'), 'utf8'))
      expect(config.added_tokens_decoder[size].content).toBe(list[0])
      directory = after
    }
  })

  it('begins as the mean of all rows, or at random, where that is asked for', async () => {
    const directory = await mini()
    const tokenizer = await Tokenizer.load(directory.tokenizerDir)
    const added = newTokens(words, tokenizer, 'words.txt')
    await using before = await Engine.load(directory)
    const old = await before.readParameter(EMBED)
    const [width, { size }] = [directory.config.hiddenSize, tokenizer]
    for (const init of ['mean', 'random'] as const) {
      const output = join(await temporaryDirectory(), init)
      await writeExtended(directory, size, added, output, { init, padTo: 128, normals })
      await using engine = await Engine.load(await openModelDirectory(output))
      const now = await engine.readParameter(EMBED)
      const first = now.slice(size * width, (size + 1) * width)
      let mean = 0
      for (let id = 0; id < size; id++) mean += old[id * width]! / size
      const expected = init === 'mean' ? mean : 0.02
      expect(Math.abs(first[0]! - expected)).toBeLessThanOrEqual(Math.abs(expected) * 2 ** -8)
      expect(now.slice(0, size * width)).toEqual(old.slice(0, size * width))
    }
  })

  it('refuses words that no text would show as that token, and names their line', async () => {
    const tokenizer = await Tokenizer.load((await mini()).tokenizerDir)
    const check = (list: string[]) => () => newTokens(list, tokenizer, 'words.txt')
    expect(check(['사과나무', '', '사과나무'])).toThrow(/words.txt:3: .*stands in line 1 already/)
    expect(check(['사과나무 '])).toThrow(/words.txt:1: .*begins or ends with a space/)
    expect(check(['한국어사전'.normalize('NFD')])).toThrow(/normal form \(NFC\)/)
    expect(check(['a'])).toThrow(/all 1 words are tokens already/)
    expect(newTokens(['a', '사과나무'], tokenizer, 'w').known).toEqual(['a'])
  })

  it('uses the padding first', () => {
    expect(extendedRows(151_936, 151_669, 267, 128)).toBe(151_936)
    expect(extendedRows(151_936, 151_669, 268, 128)).toBe(152_064)
  })
})
