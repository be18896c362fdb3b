/**
 * Where a chat template is stored: `chat_template.jinja` beside the tokenizer (transformers ≥ 4.52,
 * which lets it win), or the `chat_template` key of tokenizer_config.json, either one template or a
 * list of named ones of which "default" counts.
 */
import path from 'node:path'
import { z } from 'zod'
import { KogrpoError } from '../errors.ts'
import { readForeignText } from '../foreign-json.ts'
import { failure, phrase } from '../messages/phrase.ts'

const MOST_BYTES = 2 ** 20

const named = z.array(z.looseObject({ name: z.string(), template: z.string() }))
const schema = z.looseObject({ chat_template: z.union([z.string(), named]).nullish() })

/** The Jinja source for `dir`, or null when it has none. `config` is tokenizer_config.json. */
export async function readChatTemplate(dir: string, config: unknown): Promise<string | null> {
  const file = path.join(dir, 'chat_template.jinja')
  try {
    return await readForeignText(file, MOST_BYTES)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new KogrpoError(
        'E_MODEL_FILE',
        phrase('cannot read {file}: {reason}', { file, reason: failure(error) }),
      )
    }
  }
  const parsed = schema.safeParse(config)
  if (!parsed.success) {
    throw new KogrpoError(
      'E_CHAT_TEMPLATE',
      phrase('{path}: "chat_template" is neither a string nor a list of { name, template }', {
        path: path.join(dir, 'tokenizer_config.json'),
      }),
    )
  }
  const template = parsed.data.chat_template ?? null
  if (template === null || typeof template === 'string') return template
  return template.find(entry => entry.name === 'default')?.template ?? null
}
