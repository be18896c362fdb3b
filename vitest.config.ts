import { defineConfig } from 'vitest/config'

// Native addons crash under worker threads that are torn down while a call is running: use processes.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // For a test that hangs; a slow machine is not a failure.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Messages do not depend on the locale of whoever runs the tests.
    env: { KOGRPO_LANG: 'en' },
  },
})
