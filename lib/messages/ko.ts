/** Korean: every text of kogrpo by its English. Terms and style: docs/ko/glossary.md. */
import { cli } from './ko/cli.ts'
import { commands } from './ko/commands.ts'
import { config } from './ko/config.ts'
import { data } from './ko/data.ts'
import { evaluation } from './ko/eval.ts'
import { experiments } from './ko/experiments.ts'
import { helpData } from './ko/help-data.ts'
import { helpModel } from './ko/help-model.ts'
import { helpRun } from './ko/help-run.ts'
import { keys } from './ko/keys.ts'
import { keysGrpo } from './ko/keys-grpo.ts'
import { model } from './ko/model.ts'
import { neighbours } from './ko/neighbours.ts'
import { notes } from './ko/notes.ts'
import { plan } from './ko/plan.ts'
import { rewardModel } from './ko/reward-model.ts'
import { rewards } from './ko/rewards.ts'
import { run } from './ko/run.ts'
import { system } from './ko/system.ts'
import { terminal } from './ko/terminal.ts'

const errors = {
  ...cli,
  ...config,
  ...data,
  ...model,
  ...neighbours,
  ...rewards,
  ...rewardModel,
  ...evaluation,
  ...run,
}

export const ko = {
  texts: {
    ...errors,
    ...terminal,
    ...commands,
    ...plan,
    ...notes,
    ...experiments,
    ...keys,
    ...keysGrpo,
    ...helpRun,
    ...helpData,
    ...helpModel,
  },
  system,
} as const
