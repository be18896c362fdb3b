/**
 * Which safetensors files hold a model's weights: one, or the shards of an index.
 */
import { open } from 'node:fs/promises'
import path from 'node:path'
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import { readJson } from './config.ts'
import { type IndexEntry, readHeader, refuse } from './safetensors.ts'
import { INDEX_FILE, SINGLE_FILE } from './weight-shards.ts'

function checkShardName(indexFile: string, tensor: string, shard: unknown): string {
  if (
    typeof shard !== 'string' ||
    shard === '' ||
    shard === '.' ||
    shard === '..' ||
    /[/\\\0]/.test(shard)
  ) {
    refuse(
      indexFile,
      phrase(
        'weight_map of "{tensor}" is {shard}; it must be the plain name of a file in the same directory',
        { tensor, shard: JSON.stringify(shard) },
      ),
    )
  }
  return shard
}

async function readShards(dir: string, indexFile: string): Promise<IndexEntry[]> {
  const json = await readJson(indexFile)
  const map = (json as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    refuse(indexFile, phrase('has no "weight_map" object'))
  }
  const shardOf = new Map(
    Object.entries(map).map(([name, shard]) => [name, checkShardName(indexFile, name, shard)]),
  )
  const entries: IndexEntry[] = []
  for (const shard of [...new Set(shardOf.values())].sort()) {
    const file = path.join(dir, shard)
    for (const [name, info] of (await readHeader(file)).tensors) {
      if (shardOf.get(name) !== shard) {
        refuse(
          file,
          phrase('holds tensor "{name}", which {index} places in {shard}', {
            name,
            index: INDEX_FILE,
            shard: shardOf.get(name)!,
          }),
        )
      }
      entries.push({ name, file, ...info })
      shardOf.delete(name)
    }
  }
  const [missing] = shardOf
  if (missing !== undefined) {
    refuse(
      indexFile,
      phrase('places tensor "{tensor}" in {shard}, which does not hold it', {
        tensor: missing[0],
        shard: missing[1],
      }),
    )
  }
  return entries
}

async function exists(file: string): Promise<boolean> {
  try {
    await (await open(file, 'r')).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw new KogrpoError(
      'E_MODEL_FILE',
      phrase('cannot open {file}: {reason}', { file, reason: failure(error) }),
      {
        cause: error,
      },
    )
  }
}

/**
 * All tensors of a model directory: `model.safetensors`, else the shards that
 * `model.safetensors.index.json` names (plain file names only). As in transformers, the single file
 * wins when both exist.
 */
export async function readIndex(dir: string): Promise<IndexEntry[]> {
  const single = path.join(dir, SINGLE_FILE)
  if (await exists(single)) {
    const { tensors } = await readHeader(single)
    return [...tensors].map(([name, info]) => ({ name, file: single, ...info }))
  }
  const index = path.join(dir, INDEX_FILE)
  if (await exists(index)) return readShards(dir, index)
  throw new KogrpoError(
    'E_MODEL_FILE',
    phrase(
      '{dir} holds neither {single} nor {index}; give a Hugging Face model directory with safetensors weights, or ask for random weights',
      { dir, single: SINGLE_FILE, index: INDEX_FILE },
    ),
  )
}
