/**
 * The report as one self-contained HTML file: style, plotting library (uPlot), script and data are
 * all inside, and its content security policy forbids every request. The data is gzipped JSON in
 * base64, which no text of a completion can break out of; the script unpacks it in the browser.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Language } from '../../messages/language.ts'
import type { RunData } from './run-data.ts'

const assets = fileURLToPath(new URL('../../../assets/report/', import.meta.url))
const uplot = dirname(createRequire(import.meta.url).resolve('uplot'))

/**
 * The page's modules, each after those it imports. A self-contained page has no files to import from,
 * so they are joined into one scope: import lines fall away, and `export` before a declaration.
 */
const SCRIPTS = [
  ...['ko.js', 'words.js', 'dom.js', 'metrics.js', 'charts.js', 'diff.js'],
  ...['tokens.js', 'completions.js', 'results.js', 'main.js'],
]

/** What stands on the page until its script runs. */
const NEEDS_SCRIPT: Record<Language, string> = {
  en: 'This page needs JavaScript.',
  ko: '이 페이지에는 JavaScript가 필요합니다.',
}

interface PageOptions {
  /** What the page is written in (default: English); names of metrics and recipe keys never change. */
  language?: Language
  /** Ask for newer data at this address every so often (`report --watch`). */
  live?: string
}

/** The page of one run, or of several side by side. */
export function reportPage(runs: readonly RunData[], options: PageOptions = {}): string {
  const style = [read(uplot, 'uPlot.min.css'), read(assets, 'page.css')].join('\n')
  const script = [
    read(uplot, 'uPlot.iife.min.js'),
    ...SCRIPTS.map(name => joined(read(assets, name))),
  ].join('\n')
  const connect = options.live === undefined ? "'none'" : "'self'"
  const language = options.language ?? 'en'
  const title = runs.map(({ name }) => escapeHtml(name)).join(' · ')
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src ${connect}">
<link rel="icon" href="data:,">
<title>${title} – kogrpo</title>
<style>${style}</style>
</head>
<body data-live="${escapeHtml(options.live ?? '')}">
<main id="page"><h1>${title}</h1><p>${NEEDS_SCRIPT[language]}</p></main>
<script type="application/octet-stream" id="data">${packRuns(runs)}</script>
<script>${script}</script>
</body>
</html>
`
}

/** Runs as the page reads them: gzipped JSON in base64. */
export function packRuns(runs: readonly RunData[]): string {
  return gzipSync(JSON.stringify(runs)).toString('base64')
}

function joined(module: string): string {
  return module.replaceAll(/^import\s[\s\S]*?from '[^']+'$/gm, '').replaceAll(/^export /gm, '')
}

/** A script must not end early at a "</script" inside it; neither file holds one, and this keeps it so. */
function read(directory: string, name: string): string {
  return readFileSync(join(directory, name), 'utf8').replaceAll('</script', '<\\/script')
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
