export type RolloutMode = 'on_policy' | 'one_step_off'

export interface EndedProcess {
  code: number | null
  signal: string | null
  seconds: number
  log: string
}

export function writeModel(directory: string): void
export function recipeOf(model: string, rolloutMode: RolloutMode): object
export function kogrpo(
  args: string[],
  options?: { killAfter?: number; env?: Record<string, string> },
): Promise<EndedProcess>
export function fingerprint(directory: string): Record<string, string>
export function differences(a: Record<string, string>, b: Record<string, string>): string[]
