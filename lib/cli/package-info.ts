/** What the package says of itself. */
import { readFileSync } from 'node:fs'

interface PackageInfo {
  version: string
  /** What `engines` asks of Node, e.g. `>=20.17`. */
  node: string
}

/** Version and requirements from package.json (lib/cli and dist/cli are equally deep). */
export function packageInfo(): PackageInfo {
  const file = new URL('../../package.json', import.meta.url)
  const { version, engines } = JSON.parse(readFileSync(file, 'utf8')) as {
    version: string
    engines: { node: string }
  }
  return { version, node: engines.node }
}
