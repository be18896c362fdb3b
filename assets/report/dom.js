// Small helpers of the report page: elements, numbers, reading the packed data.

/** An element with properties (on… are listeners, aria-… and data-… attributes) and children. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag)
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (key in element && !key.includes('-')) element[key] = value
    else element.setAttribute(key, value)
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined))
  return element
}

/** A labelled control; the label holds it, so a click on the text works. */
export function labelled(text, control) {
  return h('label', { className: 'control' }, h('span', {}, text), control)
}

/** A select of [value, text] pairs. */
export function select(options, value, onchange) {
  const control = h(
    'select',
    { onchange: () => onchange(control.value) },
    options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)),
  )
  return control
}

/** A number as people read it: four significant digits, no trailing zeros. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    return Number(value.toPrecision(3)).toExponential()
  }
  return String(Number(value.toPrecision(4)))
}

export function percent(share) {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '–'
}

/** The runs out of gzipped JSON in base64. */
export async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return JSON.parse(await new Response(stream).text())
}

/** Calls `work` once things have been quiet for a moment. */
export function debounce(work, milliseconds = 150) {
  let timer
  return (...values) => {
    clearTimeout(timer)
    timer = setTimeout(() => work(...values), milliseconds)
  }
}
