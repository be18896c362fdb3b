// Prints the native sources of one group, for binding.gyp: node scripts/native-sources.mjs core
//
// `gloo` stands for one of two groups: gloo where Gloo's headers are installed, else no-gloo;
// `gloo-libraries` prints what the first is linked with. KOGRPO_GLOO=0 leaves Gloo out.
import { existsSync, readFileSync } from 'node:fs'

const hasGloo =
  process.env.KOGRPO_GLOO !== '0' &&
  ['/usr/include', '/usr/local/include'].some(path => existsSync(`${path}/gloo/allreduce.h`))

function sources(group) {
  const lines = readFileSync(new URL('../native/sources.txt', import.meta.url), 'utf8').split('\n')
  const paths = lines.map(line => line.split(/\s+/)).filter(([name]) => name === group)
  if (paths.length === 0) throw new Error(`native/sources.txt has no group "${group}"`)
  return paths.map(([, path]) => path).join('\n')
}

const group = process.argv[2]
if (group === 'gloo-libraries') console.log(hasGloo ? '-lgloo' : '')
else console.log(sources(group === 'gloo' && !hasGloo ? 'no-gloo' : group))
