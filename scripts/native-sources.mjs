// Prints the native sources of one group, for binding.gyp: node scripts/native-sources.mjs core
import { readFileSync } from 'node:fs'

const group = process.argv[2]
const lines = readFileSync(new URL('../native/sources.txt', import.meta.url), 'utf8').split('\n')
const paths = lines.map(line => line.split(/\s+/)).filter(([name]) => name === group)
console.log(paths.map(([, path]) => path).join('\n'))
