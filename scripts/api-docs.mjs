#!/usr/bin/env node
/**
 * The API reference from the types: every export of lib/index.ts with its declaration, as the compiler
 * emits it (dist/*.d.ts, comments included), in one page of Markdown. `npm run docs` writes docs/api.
 * TypeDoc would bring a second TypeScript beside the native one, whose interface it cannot use yet; the
 * public names are few and their declarations are read as they are. An export that is not found, or
 * that has no comment, is a warning and the exit code is 1.
 */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = resolve(import.meta.dirname ?? dirname(fileURLToPath(import.meta.url)), '..')
const COMMENT = String.raw`(?:/\*\*(?:(?!\*/)[\s\S])*\*/\n)?`

/** `export { a, type B } from './x.ts'`, with the comment above it. */
function groupsOf(index) {
  const pattern = new RegExp(
    String.raw`(${COMMENT})export (?:type )?\{([^}]*)\} from '\./([^']+)\.ts'`,
    'g',
  )
  return [...index.matchAll(pattern)].map(([, comment, names, file]) => ({
    about: wordsOf(comment),
    names: names
      .split(',')
      .map(name => name.trim().replace(/^type /, ''))
      .filter(name => name !== ''),
    file,
  }))
}

/** A comment's text without its stars. */
function wordsOf(comment) {
  return comment
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .trim()
}

/** The end of a declaration that begins at `from`: its closing brace or semicolon at no depth. */
function endOf(text, from) {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    if (text.startsWith('/*', i)) i = text.indexOf('*/', i) + 1
    else if ('([{'.includes(text[i])) depth++
    else if (')]}'.includes(text[i])) {
      depth--
      if (depth === 0 && text[i] === '}' && /^\s*(\n|$)/.test(text.slice(i + 1, i + 3)))
        return i + 1
    } else if (depth === 0 && text[i] === ';') return i + 1
  }
  return text.length
}

/** The declaration of `name` in a file of declarations; follows one that is handed on. */
function declarationOf(file, name) {
  const text = readFileSync(join(ROOT, 'dist', `${file}.d.ts`), 'utf8')
  const found = new RegExp(
    String.raw`(?:^|\n)(${COMMENT})export (?:declare )?(?:abstract )?(class|function|interface|type|const) ${name}\b`,
  ).exec(text)
  if (found !== null) {
    const begin = text.indexOf('export', found.index + 1 + found[1].length - 1)
    const code = text.slice(begin, endOf(text, begin))
    return {
      about: wordsOf(found[1]),
      kind: found[2],
      code: code.replaceAll(/^ +(#private;|private .*;)\n/gm, ''),
    }
  }
  const handedOn = /export (?:type )?(?:\{([^}]*)\}|\*) from '([^']+)\.(?:ts|js)'/g
  for (const [, names, from] of text.matchAll(handedOn)) {
    if (names !== undefined && !names.split(/[\s,]+/).includes(name)) continue
    const declaration = declarationOf(join(dirname(file), from), name)
    if (declaration !== null) return declaration
  }
  return null
}

/** The page, and what is wrong with what it shows. */
export function apiReference() {
  const warnings = []
  const groups = groupsOf(readFileSync(join(ROOT, 'lib/index.ts'), 'utf8'))
  const entries = groups.flatMap(({ about, names, file }) =>
    names.flatMap(name => {
      const found = declarationOf(file, name)
      if (found === null) {
        warnings.push(`${name}: no declaration in dist/${file}.d.ts (npm run build:ts)`)
        return []
      }
      const text = found.about || (names.length === 1 ? about : '')
      if (text === '') warnings.push(`${name}: has no comment (lib/${file}.ts)`)
      return [{ name, ...found, about: text, file }]
    }),
  )
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  const list = entries.map(({ name, kind }) => `[${name}](#${name.toLowerCase()}) (${kind})`)
  const parts = entries.map(
    ({ name, about, code, file }) =>
      `## ${name}\n\n${about}\n\n\`\`\`ts\n${code.replace(/^export (declare )?/, '')}\n\`\`\`\n\n[lib/${file}.ts](../../lib/${file}.ts)`,
  )
  const head = `# API\n\nWhat \`import { … } from 'kogrpo'\` gives; written by \`npm run docs\` from the types.\n\n${list.join(' · ')}`
  return {
    page: `${[head, ...parts].join('\n\n')}\n`,
    names: entries.map(({ name }) => name),
    warnings,
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { page, names, warnings } = apiReference()
  for (const warning of warnings) console.error(`warning: ${warning}`)
  mkdirSync(join(ROOT, 'docs/api'), { recursive: true })
  writeFileSync(join(ROOT, 'docs/api/README.md'), page)
  console.log(`docs/api/README.md: ${names.length} exports`)
  if (warnings.length > 0) process.exitCode = 1
}
