/** Sizes of files as transformers writes them: "5GB" is 5·10⁹ bytes. */

const UNITS: Record<string, number> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }

/** Bytes of such a size; NaN where the text is none. */
export function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT]B)$/i.exec(text) ?? []
  return number === undefined
    ? Number.NaN
    : Math.round(Number(number) * UNITS[unit!.toUpperCase()]!)
}
