/** The sizes of a model that a plan is about, which need not have been downloaded. */
import type { ModelConfig } from '../model/config.ts'
import { isThere, openModelDirectory } from '../model/directory.ts'
import { publishedModel } from '../model/published.ts'
import { modelPath } from '../train/sources.ts'
import type { CliContext } from './context.ts'

/**
 * The configuration of a recipe's model; where its directory is not there but has the name of a published
 * Qwen3, that one's, which is said on stderr. Throws what `openModelDirectory` throws.
 */
export async function plannedModel(
  { path }: { path: string },
  { say, stderr }: CliContext,
): Promise<ModelConfig> {
  const dir = modelPath(path)
  const published = (await isThere(dir)) ? null : publishedModel(dir)
  if (published === null) return (await openModelDirectory(dir, { weights: false })).config
  const { name, config } = published
  stderr.write(
    `${say('{dir} is not there: planned with the published sizes of {name}', { dir: path, name })}\n`,
  )
  return config
}
