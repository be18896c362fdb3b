/** The modules behind the commands. Types only. */

/** What a module of lib/cli/commands exports. */
export interface CommandFile {
  /** A yargs CommandModule, of whatever arguments. */
  command: {
    describe?: string | false
    builder?: unknown
    handler(argv: never): void | Promise<void>
  }
  /**
   * Takes out of the arguments what yargs cannot read, before it does; `extra` is added to `argv`.
   */
  prepare?(args: readonly string[]): { args: string[]; extra: Record<string, unknown> }
}
