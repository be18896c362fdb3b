#!/usr/bin/env node
// The command as npm links it. It reads on any Node since 14, and says which one is needed before
// anything is loaded that an older one would trip over.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeProblem, readsKorean } from '../dist/cli/node-version.js'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const korean = readsKorean(process.argv.slice(2), process.env)
const problem = nodeProblem(process.version, engines.node, korean)
if (problem === null) {
  const main = new URL('../dist/cli/main.js', import.meta.url)
  process.argv[1] = fileURLToPath(main)
  import(main.href)
} else {
  console.error(`kogrpo: ${problem}`)
  process.exitCode = 1
}
