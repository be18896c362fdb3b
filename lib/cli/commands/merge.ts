/** `kogrpo merge`: a LoRA adapter added to its model's weights, as an ordinary checkpoint. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { phrase } from '../../messages/phrase.ts'
import { openModelDirectory } from '../../model/directory.ts'
import { writeMerged } from '../../train/merge.ts'
import { modelPath } from '../../train/sources.ts'
import type { CliContext } from '../context.ts'
import { runInterruptibly } from '../interrupt.ts'
import { nonEmpty, oneOf } from '../options.ts'
import { overwriteOption, requireOutputModel } from '../output-place.ts'

interface MergeArguments {
  context: CliContext
  adapter: string
  output: string
  baseModel?: string
  dtype?: 'float32' | 'bfloat16'
  overwrite?: boolean
}

async function handler(argv: ArgumentsCamelCase<MergeArguments>): Promise<void> {
  const { context, output } = argv
  const directory = await openModelDirectory(argv.adapter, {
    base: argv.baseModel && modelPath(argv.baseModel),
  })
  for (const source of [argv.adapter, directory.dir]) {
    requireOutputModel(output, source, argv.overwrite === true)
  }
  const asked = argv.dtype && (argv.dtype === 'bfloat16' ? 'BF16' : 'F32')
  const { dtype, merged } = await runInterruptibly(
    context,
    {
      onInterrupt: () => context.stderr.write(`${context.say('stopping')}\n`),
      message: () => phrase('stopped; nothing was written'),
    },
    signal => writeMerged(directory, output, { dtype: asked, signal }),
  )
  const done = phrase(
    'wrote {output} in {dtype}: {merged} matrices of {base} with the adapter added',
    { output, dtype: dtype === 'BF16' ? 'bf16' : 'fp32', merged, base: directory.dir },
  )
  context.stdout.write(`${context.say(done)}\n`)
}

export const command: CommandModule<object, MergeArguments> = {
  command: 'merge <adapter>',
  describe: 'Write a model with a LoRA adapter in its weights',
  builder: argv =>
    argv
      .usage(
        '$0 merge ADAPTER --output DIR\n\n' +
          "Adds scale · B · A to each matrix that the adapter is on (PEFT's merge_and_unload) and writes\n" +
          'an ordinary checkpoint, which needs no adapter. The sum is made in fp32 and rounded once, so\n' +
          'in bf16 it is not quite the model that was trained; kogrpo itself runs adapters as they are.',
      )
      .positional('adapter', {
        type: 'string',
        demandOption: true,
        describe: 'Directory of the adapter (adapter_config.json, adapter_model.safetensors)',
      })
      .options({
        output: {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          describe: 'Directory to write',
          coerce: nonEmpty('output'),
        },
        'base-model': {
          type: 'string',
          requiresArg: true,
          describe: "The adapter's model, if it is not where its config says",
          coerce: nonEmpty('base-model'),
        },
        dtype: {
          type: 'string',
          requiresArg: true,
          describe: "float32 or bfloat16 [default: the model's]",
          coerce: oneOf('dtype', ['float32', 'bfloat16']),
        },
        overwrite: overwriteOption,
      })
      .example('$0 merge runs/r1/rl --output merged', '') as never,
  handler,
}
