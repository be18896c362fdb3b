/**
 * `kogrpo init`: writes a commented recipe for this machine and one's own data, after three questions
 * or from options. The data is read: columns are guessed by name, lengths are measured, and the batch
 * follows from the memory there is.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, extname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { loadRecipe, nameOf } from '../../config/load.ts'
import { DataCheck } from '../../corpus/check.ts'
import { ChatTemplate } from '../../data/chat-template.ts'
import { readRecords } from '../../data/readers.ts'
import { Tokenizer } from '../../data/tokenizer.ts'
import { KogrpoError } from '../../errors.ts'
import { askInTurn } from '../../init/ask.ts'
import { fitMachine } from '../../init/fit.ts'
import { guessColumns } from '../../init/guess-columns.ts'
import { type DataPart, recipeText } from '../../init/recipe-text.ts'
import { failure, joined, phrase } from '../../messages/phrase.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { shellWord } from '../../shell-word.ts'
import { modelPath } from '../../train/sources.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { readMemory } from '../memory.ts'
import { nonEmpty } from '../options.ts'

interface InitArguments {
  recipe?: string
  model?: string
  data?: string
  problems?: string
  evalData?: string
  judge?: string
  judgeModel?: string
  overwrite?: boolean
  yes?: boolean
  context: CliContext
}

const MINIATURE = 'builtin:mini'

/** Answers that options did not give, asked for on a terminal. */
async function ask(argv: InitArguments): Promise<InitArguments> {
  const { say } = argv.context
  const questions = [
    {
      key: 'model',
      text: say('Model to start from (a Hugging Face directory)'),
      otherwise: MINIATURE,
    },
    {
      key: 'data',
      text: say('Examples to learn from (.jsonl or .parquet; empty: none)'),
      otherwise: '',
    },
    {
      key: 'problems',
      text: say('Problems with answers for reinforcement learning (empty: none)'),
      otherwise: '',
    },
  ] as const
  const open = questions.filter(({ key }) => argv[key] === undefined)
  if (argv.yes || open.length === 0 || !process.stdin.isTTY) return argv
  const answers = await askInTurn(open, process.stdin, process.stderr)
  if (answers === null) {
    throw new UsageError(phrase('stopped before the last answer; nothing was written'))
  }
  return { ...argv, ...answers }
}

interface Reader {
  tokenizer: Tokenizer
  template: ChatTemplate
}

/** Reads a file: its columns, whether it serves the stage, its longest sample. */
async function readPart(path: string, stage: 'sft' | 'grpo', reader: Reader): Promise<DataPart> {
  let check: DataCheck | undefined
  let columns: Record<string, string> = {}
  for await (const source of readRecords(path)) {
    if (!check) {
      const guess = guessColumns(source.record)
      if (!guess[stage]) {
        const needs =
          stage === 'sft'
            ? phrase('a prompt and a completion (or messages)')
            : phrase('a prompt and an answer')
        throw new KogrpoError(
          'E_DATA',
          phrase(
            '{path}: found no columns for {needs} among {columns}; rename them, or write the recipe\'s "columns" by hand',
            { path, needs, columns: Object.keys(source.record).join(', ') },
          ),
        )
      }
      const { reasoning, completion, ...grpo } = guess.columns
      columns = stage === 'sft' ? guess.columns : grpo
      const options = { ...reader, columns, maxLength: 1, overlong: 'error' as const }
      check = new DataCheck(stage, options)
    }
    check.add(source)
  }
  const report = check?.report()
  if (!report?.tokens) {
    throw new KogrpoError(
      'E_DATA',
      joined([path, report?.errors[0] ?? phrase('the file holds no records')], ': '),
    )
  }
  return { path, columns, longest: report.tokens.max }
}

async function handler(given: ArgumentsCamelCase<InitArguments>): Promise<void> {
  const argv = await ask(given)
  const { context } = argv
  const file = argv.recipe ?? 'recipe.yaml'
  if (!['.yaml', '.yml'].includes(extname(file))) {
    throw new UsageError(phrase('{file}: expected a name that ends in .yaml', { file }))
  }
  if (existsSync(file) && !argv.overwrite) {
    throw new UsageError(phrase('{file} exists; choose another name, or add --overwrite', { file }))
  }
  if ((argv.judge === undefined) !== (argv.judgeModel === undefined)) {
    throw new UsageError(phrase('--judge and --judge-model go together'))
  }
  if (!argv.data && !argv.problems) {
    throw new UsageError(
      phrase(
        'nothing to train on: give --data (examples to learn from), --problems (questions with answers), or both; the miniature needs no recipe: npx kogrpo train',
      ),
    )
  }
  const model = argv.model ?? MINIATURE
  const directory = await openModelDirectory(modelPath(model), { weights: false })
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  const reader = { tokenizer, template: new ChatTemplate(tokenizer) }
  const sft = argv.data ? await readPart(argv.data, 'sft', reader) : null
  const grpo = argv.problems ? await readPart(argv.problems, 'grpo', reader) : null
  const evaluation = argv.evalData ? await readPart(argv.evalData, 'grpo', reader) : null
  const completion = Math.min(2048, Math.max(128, Math.ceil((sft?.longest ?? 512) / 64) * 64))
  const length = Math.max(sft?.longest ?? 0, (grpo?.longest ?? 0) + (grpo ? completion : 0))
  const fit = fitMachine(directory.config, length, readMemory().available)
  const judge = argv.judge ? { base_url: argv.judge, model: argv.judgeModel! } : null
  const plan = {
    name: nameOf(file),
    model,
    fit,
    sft,
    grpo,
    evaluation,
    judge,
    completion,
    schema: schemaFor(file),
  }
  const text = recipeText(plan, argv.context.say)
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('cannot write {file}: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  }
  loadRecipe(file)
  if (!fit.fits) {
    const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1)
    context.stderr.write(
      `${context.say('warning: about {needed} GiB are needed and {free} GiB are free: take a smaller model or shorter samples', { needed: gib(fit.peak), free: gib(readMemory().available) })}\n`,
    )
  }
  context.stdout.write(
    `${context.say('{file} is written. Next:\n  npx kogrpo data check {word}\n  npx kogrpo train {word}', { file, word: shellWord(file) })}\n`,
  )
}

/**
 * The schema that came with the package, for the editor's completion: relative where the package lies
 * below the recipe (node_modules), so that the recipe can be shared.
 */
export function schemaFor(file: string): string {
  const schema = fileURLToPath(new URL('../../../dist/recipe.schema.json', import.meta.url))
  const beside = relative(dirname(resolve(file)), schema)
  return beside.startsWith('..') ? schema : `./${beside}`
}

const text = { type: 'string', requiresArg: true } as const

export const command: CommandModule<object, InitArguments> = {
  command: 'init [recipe]',
  describe: 'Write a commented recipe for your data and this machine',
  builder: argv =>
    argv
      .usage(
        '$0 init [recipe]\n\nWrites a commented recipe. What options do not say is asked for on a terminal.',
      )
      .positional('recipe', { type: 'string', describe: 'File to write [default: recipe.yaml]' })
      .options({
        model: {
          ...text,
          describe: `Model to start from [default: ${MINIATURE}]`,
          coerce: nonEmpty('model'),
        },
        data: {
          ...text,
          describe: 'Examples to learn from (SFT): .jsonl, .jsonl.gz or .parquet',
          coerce: nonEmpty('data'),
        },
        problems: {
          ...text,
          describe: 'Problems with answers (GRPO)',
          coerce: nonEmpty('problems'),
        },
        'eval-data': {
          ...text,
          describe: 'Held-out problems with answers',
          coerce: nonEmpty('eval-data'),
        },
        judge: {
          ...text,
          describe: 'OpenAI-compatible endpoint of a judge',
          coerce: nonEmpty('judge'),
        },
        'judge-model': {
          ...text,
          describe: "The judge's model name",
          coerce: nonEmpty('judge-model'),
        },
        overwrite: { type: 'boolean', describe: 'Replace the file' },
        yes: { type: 'boolean', describe: 'Ask nothing' },
      })
      .example('$0 init --data my.jsonl', 'learn from examples, starting from the miniature')
      .example(
        '$0 init ko.yaml --model Qwen3-0.6B --data sft.jsonl --problems math.jsonl',
        '',
      ) as never,
  handler,
}
