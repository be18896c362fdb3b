/** Files of benchmarks: CSV, TSV and JSON arrays. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRows } from '../../../lib/eval/files.ts'
import { readRowFile } from '../../../lib/eval/row-file.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, type Random } from '../mutate.ts'

const CSV = 'question,A,B,answer\n"수도는, ""어디""?",서울,부산,A\r\n1 + 1?,2,3,A\n'
const ROWS = [
  {
    id: '1',
    subset: '',
    gold: 0,
    mode: 'generation',
    correct: 1,
    samples: [{ correct: 1, thinking: {} }],
  },
]
let directory: string | undefined

export const target: FuzzTarget = {
  name: 'tables',
  make(random: Random) {
    const extension = random.pick(['csv', 'tsv', 'json', 'jsonl'])
    const texts: Record<string, () => string> = {
      csv: () => CSV,
      tsv: () => CSV.replaceAll(',', '\t'),
      json: () => mutateJsonText(random, ROWS),
      jsonl: () => mutateJsonText(random, ROWS[0]),
    }
    const bytes = Buffer.from(texts[extension]!())
    return {
      extension,
      bytes: extension.startsWith('json') && random.chance(2) ? bytes : mutateBytes(random, bytes),
    }
  },
  async run({ extension, bytes }: { extension: string; bytes: Buffer }) {
    directory ??= mkdtempSync(join(tmpdir(), 'kogrpo-fuzz-'))
    const file = join(directory, `x.${extension}`)
    writeFileSync(file, bytes)
    if (extension === 'jsonl') await readRowFile(file)
    else for await (const { record } of readRows(file)) JSON.stringify(record)
  },
}
