/**
 * A tokenizer for tests: one token per byte, two merges ("th", "the"), Qwen3's special tokens and a
 * chat template of choice, written as a Hugging Face directory.
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { QWEN3_TRAINING_TEMPLATE } from '../../lib/data/training-template.ts'

/** Qwen3's format without spans: agrees with the built-in training format. */
export const PLAIN_TEMPLATE = QWEN3_TRAINING_TEMPLATE.replace(
  /\{%-?\s*(end)?generation\s*-?%\}/g,
  '',
)
  .concat("{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}")
  .concat(
    "{%- if enable_thinking is false -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}{%- endif -%}",
  )

const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>']

/** GPT-2's characters for the bytes 0 … 255. */
function byteCharacters(): string[] {
  let shifted = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
    return String.fromCodePoint(printable ? byte : 256 + shifted++)
  })
}

/** tokenizer.json as an object; ids 0–255 are bytes, 256 "th", 257 "the", 258–262 special. */
export function tinyTokenizerJson(): Record<string, unknown> {
  const entries = [...byteCharacters(), 'th', 'the'].map((token, id) => [token, id])
  const added = SPECIAL.map((content, i) => ({
    id: 258 + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: !content.includes('think'),
  }))
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: false,
    use_regex: false,
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: { Regex: '\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+|\\s+' },
          behavior: 'Isolated',
          invert: false,
        },
        byteLevel,
      ],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(entries),
      merges: ['t h', 'th e'],
    },
  }
}

/** Writes the directory and returns its path. */
export async function writeTinyTokenizer(
  chatTemplate: string | null = PLAIN_TEMPLATE,
  change: (json: Record<string, unknown>) => void = () => {},
): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'kogrpo-tok-'))
  const json = tinyTokenizerJson()
  change(json)
  const config = {
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    chat_template: chatTemplate,
  }
  await writeFile(path.join(dir, 'tokenizer.json'), JSON.stringify(json))
  await writeFile(path.join(dir, 'tokenizer_config.json'), JSON.stringify(config))
  await writeFile(path.join(dir, 'generation_config.json'), '{"eos_token_id": [260, 258]}')
  return dir
}
