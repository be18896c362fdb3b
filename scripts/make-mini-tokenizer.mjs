/**
 * Remakes the miniature's tokenizer and configuration files, byte for byte:
 *   npm run build:ts && node scripts/make-mini-tokenizer.mjs [DIRECTORY, default assets/mini]
 * The corpus is the miniature's own pre-training and fine-tuning text; nothing is downloaded.
 * chat_template.jinja is read from assets/mini and stays as it is (see NOTICE there).
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { miniTokenizerFiles } from '../dist/mini/tokenizer.js'

const assets = join(dirname(fileURLToPath(import.meta.url)), '..', 'assets', 'mini')
const target = process.argv[2] ?? assets
const template = readFileSync(join(assets, 'chat_template.jinja'), 'utf8')
mkdirSync(target, { recursive: true })
for (const [name, text] of Object.entries(miniTokenizerFiles(template))) {
  writeFileSync(join(target, name), text)
  console.log(`${join(target, name)}: ${Buffer.byteLength(text)} bytes`)
}
