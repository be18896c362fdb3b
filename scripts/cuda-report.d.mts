export interface KernelReport {
  mangled: string
  arch?: string
  registers?: number
  sharedBytes?: number
  stackBytes?: number
  spillBytes?: number
  serialized?: boolean
}
export function parseResources(log: string): KernelReport[]
export function plainName(mangled: string): string
export function parseSass(text: string): Map<string, string>
export function findProblems(kernels: readonly KernelReport[], sass: Map<string, string> | undefined): string[]
