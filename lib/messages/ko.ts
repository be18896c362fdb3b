/** Korean: every text of kogrpo by its English. Terms and style: docs/ko/glossary.md. */
import { cli } from './ko/cli.ts'
import { config } from './ko/config.ts'
import { data } from './ko/data.ts'
import { evaluation } from './ko/eval.ts'
import { model } from './ko/model.ts'
import { rewards } from './ko/rewards.ts'
import { run } from './ko/run.ts'
import { system } from './ko/system.ts'

export const ko = {
  texts: { ...cli, ...config, ...data, ...model, ...rewards, ...evaluation, ...run },
  system,
} as const
